/* SPDX-License-Identifier: MIT */
/*
 * The PVH entry (Xen's x86/HVM direct boot ABI): 32-bit protected mode, flat segments, no paging,
 * interrupts off, EBX points to hvm_start_info. Structures: xen/interface/hvm/start_info.h.
 */
#include "vmm/boot.h"
#include "vmm/kvm.h"
#include "vmm/machine.h"

#include <errno.h>

#define START_MAGIC   0x336ec578
#define START_VERSION 1

#define CR0_PE 0x01
#define CR0_ET 0x10

#define GDT_CODE 0x10
#define GDT_DATA 0x18
#define GDT_TSS	 0x20

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memory_map;
	uint32_t memory_map_entries;
	uint32_t reserved;
};

struct start_module {
	uint64_t address;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct start_range {
	uint64_t address;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* One block in guest memory, at BOOT_START_INFO. */
struct start_block {
	struct start_info info;
	struct start_module module;
	struct start_range ranges[BOOT_RANGES_MAX];
};

static struct vmm_error *start_info_write(const struct boot *boot,
					  const struct guest_memory *memory)
{
	struct start_block block = {
		.info =
			{
				.magic = START_MAGIC,
				.version = START_VERSION,
				.module_count = boot->initrd_size ? 1 : 0,
				.modules = BOOT_START_INFO + offsetof(struct start_block, module),
				.cmdline = BOOT_CMDLINE,
				.rsdp = BOOT_ACPI,
				.memory_map =
					BOOT_START_INFO + offsetof(struct start_block, ranges),
				.memory_map_entries = boot->range_count,
			},
		.module = {.address = boot->initrd, .size = boot->initrd_size},
	};

	for (unsigned i = 0; i < boot->range_count; i++)
		block.ranges[i] = (struct start_range){
			.address = boot->ranges[i].address,
			.size = boot->ranges[i].size,
			.type = boot->ranges[i].type,
		};
	if (!guest_memory_write(memory, BOOT_START_INFO, &block, sizeof(block)))
		return vmm_error_new(VMM_EXIT_FAILED, "no memory for the PVH start info");
	return NULL;
}

static const uint64_t gdt[] = {
	[GDT_CODE / 8] = 0x00cf9b000000ffff, /* 4 GiB, execute and read, 32 bits */
	[GDT_DATA / 8] = 0x00cf93000000ffff, /* 4 GiB, read and write */
	[GDT_TSS / 8] = 0x00008b0000000067,  /* busy 32-bit TSS at 0 */
};

static const struct kvm_segment code_segment = {
	.limit = UINT32_MAX,
	.selector = GDT_CODE,
	.type = 0xb,
	.present = 1,
	.s = 1,
	.db = 1,
	.g = 1,
};

static const struct kvm_segment data_segment = {
	.limit = UINT32_MAX,
	.selector = GDT_DATA,
	.type = 0x3,
	.present = 1,
	.s = 1,
	.db = 1,
	.g = 1,
};

static const struct kvm_segment tss_segment = {
	.limit = 0x67,
	.selector = GDT_TSS,
	.type = 0xb,
	.present = 1,
};

static int registers_set(const struct boot *boot, const struct vcpu *vcpu)
{
	struct kvm_regs registers = {
		.rip = boot->kernel.pvh_entry,
		.rbx = BOOT_START_INFO,
		.rflags = 0x2,
	};
	struct kvm_sregs system;

	if (kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &system) < 0)
		return -1;
	system.cs = code_segment;
	system.ds = system.es = system.fs = system.gs = system.ss = data_segment;
	system.tr = tss_segment;
	system.gdt.base = BOOT_GDT;
	system.gdt.limit = sizeof(gdt) - 1;
	system.idt.base = 0;
	system.idt.limit = 0;
	system.cr0 = CR0_PE | CR0_ET;
	system.cr3 = system.cr4 = system.efer = 0;
	if (kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &system) < 0)
		return -1;
	return kvm_ioctl(vcpu->fd, KVM_SET_REGS, &registers);
}

struct vmm_error *boot_pvh(const struct boot *boot, struct machine *machine)
{
	VMM_TRY(start_info_write(boot, &machine->memory));
	guest_memory_write(&machine->memory, BOOT_GDT, gdt, sizeof(gdt));
	if (registers_set(boot, &machine->vcpus[0]) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "KVM does not take the registers of the PVH entry");
	return NULL;
}
