# SPDX-License-Identifier: MIT
#
# `make check-qemu`: Debian's own QEMU as the target. Each tests/qemu/NAME.c is a program of its own, linked as
# the unit and live tests are. The packages are unpacked under $(B)/qemu/u15, never installed.

QEMU_TREE := $(B)/qemu/u15

$(QEMU): | $(B)/vgraft

$(QEMU_TREE)/complete: tests/qemu/unpack
	@tests/qemu/unpack $(QEMU_TREE)
	@touch $@

# The fixes, each made from its manifest. The first one takes minutes: package, source, headers. One that is refused
# is no failure of make's: tests/qemu/fixes.c compares what the build said with the file `expect` of the folder.
QEMU_MANIFESTS := $(wildcard patches/qemu/*/manifest)
QEMU_FIXES     := $(patsubst patches/qemu/%/manifest,$(B)/qemu/%.json,$(QEMU_MANIFESTS))

$(B)/qemu/%.json: patches/qemu/%/manifest $(wildcard patches/qemu/debian-* patches/qemu/*/*.c patches/qemu/*/*.diff) $(B)/vgraft
	@mkdir -p $(@D)
	@rm -f $(@:.json=.vgp)
	$(B)/vgraft build --manifest $< --work $(B)/packages --json -o $(@:.json=.vgp) >$@.new || [ $$? = 3 ]
	@mv $@.new $@
$(B)/qemu/%.vgp: $(B)/qemu/%.json
	@test -e $@

# Some of the objects that QEMU is made from, for the share that is found of them.
$(B)/qemu/objects: tests/qemu/objects tests/lib/qemu-ninja $(QEMU_FIXES)
	@xargs tests/lib/qemu-ninja $(B) <$< >$@.new
	@mv $@.new $@

.PHONY: check-qemu check-qemu-run
check-qemu: deps-qemu
	@$(MAKE) --no-print-directory check-qemu-run
check-qemu-run: all $(QEMU) $(QEMU_TREE)/complete $(QEMU_FIXES) $(B)/qemu/objects
	@VGRAFT_BUILD=$(B) VGRAFT_QEMU_TREE=$(QEMU_TREE) tests/run $(QEMU)

# How the fixes show: shared by the programs that look.
QEMU_EFFECTS := $(patsubst %.c,$(B)/%.o,$(call sources,tests/qemu/effects))
$(B)/tests/qemu/proof: $(QEMU_EFFECTS)
