# SPDX-License-Identifier: MIT
#
# `make check-qemu`: Debian's own QEMU as the target. Each tests/qemu/NAME.c is a program of its own, linked as
# the unit and live tests are. The packages are unpacked under $(B)/qemu/u15, never installed.

QEMU_TREE := $(B)/qemu/u15

$(QEMU): | $(B)/vgraft

$(QEMU_TREE)/complete: tests/qemu/unpack
	@tests/qemu/unpack $(QEMU_TREE)
	@touch $@

.PHONY: check-qemu check-qemu-run
check-qemu: deps-qemu
	@$(MAKE) --no-print-directory check-qemu-run
check-qemu-run: all $(QEMU) $(QEMU_TREE)/complete
	@VGRAFT_BUILD=$(B) VGRAFT_QEMU_TREE=$(QEMU_TREE) tests/run $(QEMU)
