# SPDX-License-Identifier: MIT
#
# The Linux guest of the QEMU tests: Debian's cloud kernel, downloaded and unpacked under $(B)/qemu/guest, and an initial
# RAM disk with the program of tests/qemu/guest as its only process.

QEMU_GUEST         := $(B)/qemu/guest
QEMU_GUEST_OBJECTS := $(patsubst %.c,$(B)/%.o,$(call sources,tests/qemu/guest))
QEMU_GUEST_MODULES := virtio_pci virtio_blk virtio_net

$(QEMU_GUEST)/init: $(QEMU_GUEST_OBJECTS)
	@mkdir -p $(@D)
	@$(CC) -static -o $@ $^ -lpthread

$(QEMU_GUEST)/vmlinuz: tests/guest/debian-kernel
	@tests/guest/debian-kernel $(@D) >/dev/null
	@ln -sf root/boot/$$(basename $(@D)/root/boot/vmlinuz-*) $@

$(QEMU_GUEST)/initrd: $(QEMU_GUEST)/init $(QEMU_GUEST)/vmlinuz tests/guest/linux-initramfs
	@tests/guest/linux-initramfs $@ $(@D)/root/lib/modules/* $< $(QEMU_GUEST_MODULES)

# For a kernel with its drivers built in: VGRAFT_TEST_KERNEL, under KVM.
$(QEMU_GUEST)/initrd-built-in: $(QEMU_GUEST)/init tests/guest/linux-initramfs
	@tests/guest/linux-initramfs $@ "" $<

.PHONY: qemu-guest
qemu-guest: $(QEMU_GUEST)/vmlinuz $(QEMU_GUEST)/initrd $(QEMU_GUEST)/initrd-built-in $(QEMU_TREE)/complete
check-qemu-run: qemu-guest
