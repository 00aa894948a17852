# SPDX-License-Identifier: MIT
#
# `make check-qemu`: Debian's own QEMU as the target. Each tests/qemu/NAME.c is a program of its own, linked as
# the unit and live tests are. The packages are unpacked under $(B)/qemu/u15, never installed.

QEMU_TREE := $(B)/qemu/u15
# The current package, which apt offers until there is a newer one; u18.why-not tells that it has gone.
QEMU_CURRENT := $(B)/qemu/u18
GONE := nor offered by apt

$(QEMU): | $(B)/vgraft

$(QEMU_TREE)/complete: tests/qemu/unpack
	@tests/qemu/unpack $(QEMU_TREE) patches/qemu/debian-12-u15
	@touch $@

$(QEMU_CURRENT).why-not: tests/qemu/unpack patches/qemu/debian-12-u18
	@mkdir -p $(@D)
	@tests/qemu/unpack $(QEMU_CURRENT) patches/qemu/debian-12-u18 2>$@.new || grep '$(GONE)' $@.new || \
		{ cat $@.new >&2; exit 1; }
	@grep '$(GONE)' $@.new >$@ || true
	@rm $@.new

# The fixes, each made from its manifest. The first one takes minutes: package, source, headers. One that is refused
# is no failure of make's: tests/qemu/fixes.c compares what the build said with the file `expect` of the folder. Nor is
# one for the current package when that has gone: its tests are skipped, with what the build said.
QEMU_MANIFESTS := $(wildcard patches/qemu/*/manifest)
QEMU_FIXES     := $(patsubst patches/qemu/%/manifest,$(B)/qemu/%.json,$(QEMU_MANIFESTS))

$(B)/qemu/%.json: patches/qemu/%/manifest $(wildcard patches/qemu/debian-* patches/qemu/*/*.c patches/qemu/*/*.diff) $(B)/vgraft
	@mkdir -p $(@D)
	@rm -f $(@:.json=.vgp)
	$(B)/vgraft build --manifest $< --work $(B)/packages --json -o $(@:.json=.vgp) >$@.new || [ $$? = 3 ] || \
		{ grep -q debian-12-u18 $< && grep -q '$(GONE)' $@.new; }
	@mv $@.new $@
# The one for all is built here too, since the time of it is none of the test's.
$(B)/qemu/%.json: tests/qemu/patches/%/manifest $(wildcard tests/qemu/patches/*/*.c) $(QEMU_FIXES)
	$(B)/vgraft build --manifest $< --work $(B)/packages --json -o $(@:.json=.vgp) >$@.new
	@mv $@.new $@
check-qemu-run: $(B)/qemu/cumulative.json
$(B)/qemu/%.vgp: $(B)/qemu/%.json
	@test -e $@

# Other programs (docs/targets.md). The first two share the build directory of the emulator; each of the others takes
# minutes to configure.
TARGET_PATCH = $(B)/targets/$(1).vgp
CHEAP_TARGETS := $(call TARGET_PATCH,aarch64) $(call TARGET_PATCH,virtiofsd)
ALL_TARGETS := $(CHEAP_TARGETS) $(call TARGET_PATCH,microvm) $(call TARGET_PATCH,xen)

$(B)/targets/%.vgp: patches/targets/%/manifest $(wildcard patches/qemu/debian-12-u15*) $(B)/vgraft
	@mkdir -p $(@D)
	$(B)/vgraft build --manifest $< --work $(B)/packages -o $@

.PHONY: check-targets check-targets-run
check-targets: deps-qemu
	@$(MAKE) --no-print-directory check-targets-run
check-targets-run: all $(B)/tests/qemu/targets $(ALL_TARGETS)
	@VGRAFT_BUILD=$(B) tests/run $(B)/tests/qemu/targets

# Some of the objects that QEMU is made from, for the share that is found of them.
# After all else that has ninja run in that build directory.
$(B)/qemu/objects: tests/qemu/objects tests/lib/qemu-ninja $(QEMU_FIXES) | $(CHEAP_TARGETS)
	@xargs tests/lib/qemu-ninja $(B) <$< >$@.new
	@mv $@.new $@

.PHONY: check-qemu check-qemu-run
check-qemu: deps-qemu
	@$(MAKE) --no-print-directory check-qemu-run
check-qemu-run: all $(QEMU) $(QEMU_TREE)/complete $(QEMU_CURRENT).why-not $(QEMU_FIXES) $(CHEAP_TARGETS) $(B)/qemu/objects
	@VGRAFT_BUILD=$(B) VGRAFT_QEMU_TREE=$(QEMU_TREE) tests/run $(QEMU)

# How the fixes show: shared by the programs that look.
QEMU_EFFECTS := $(patsubst %.c,$(B)/%.o,$(call sources,tests/qemu/effects))
$(B)/tests/qemu/proof $(B)/tests/qemu/current: $(QEMU_EFFECTS)

# What runs instead of a guest there, from the processor's reset on.
QEMU_FIRMWARE := $(patsubst tests/qemu/%.S,$(B)/qemu/%.bin,$(wildcard tests/qemu/firmware/*.S))

$(B)/qemu/firmware/%.bin: tests/qemu/firmware/%.S $(wildcard tests/qemu/firmware/*.h)
	@mkdir -p $(@D)
	@$(CC) -I. -c -o $(@:.bin=.o) $<
	@ld -N -Ttext=0 -e 0 --oformat=binary -o $@ $(@:.bin=.o)
check-qemu-run: $(QEMU_FIRMWARE)
