/* SPDX-License-Identifier: MIT */
/*
 * The Linux 64-bit boot protocol (Documentation/arch/x86/boot.rst): long mode with an identity
 * map, flat segments 0x10 and 0x18, interrupts off, RSI points to boot_params, RIP is the ELF
 * entry.
 */
#include "vmm/boot.h"
#include "vmm/kvm.h"
#include "vmm/machine.h"

#include <asm/bootparam.h>
#include <errno.h>

#define CR0_PE	 (UINT64_C(1) << 0)
#define CR0_ET	 (UINT64_C(1) << 4)
#define CR0_PG	 (UINT64_C(1) << 31)
#define CR4_PAE	 (UINT64_C(1) << 5)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)

#define PAGE_PRESENT UINT64_C(0x01)
#define PAGE_WRITE   UINT64_C(0x02)
#define PAGE_LARGE   UINT64_C(0x80)
#define PAGE_ENTRIES 512
#define LARGE_PAGE   (UINT64_C(2) << 20)
#define MAPPED_GIB   4

#define GDT_CODE 0x10
#define GDT_DATA 0x18
#define GDT_TSS	 0x20

#define HEADER_MAGIC	  0x53726448 /* "HdrS" */
#define HEADER_VERSION	  0x020f
#define LOADER_UNASSIGNED 0xff

static struct vmm_error *params_write(const struct boot *boot, const struct guest_memory *memory)
{
	struct boot_params *params = guest_memory_at(memory, BOOT_PARAMS, sizeof(*params));

	if (!params)
		return vmm_error_new(VMM_EXIT_FAILED, "no memory for boot_params");
	*params = (struct boot_params){
		.hdr =
			{
				.boot_flag = 0xaa55,
				.header = HEADER_MAGIC,
				.version = HEADER_VERSION,
				.type_of_loader = LOADER_UNASSIGNED,
				.loadflags = LOADED_HIGH,
				.cmd_line_ptr = BOOT_CMDLINE,
				.cmdline_size = BOOT_CMDLINE_MAX,
				.ramdisk_image = (uint32_t)boot->initrd,
				.ramdisk_size = (uint32_t)boot->initrd_size,
			},
		.acpi_rsdp_addr = BOOT_ACPI,
		.e820_entries = (uint8_t)boot->range_count,
	};
	for (unsigned i = 0; i < boot->range_count; i++)
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = boot->ranges[i].address,
			.size = boot->ranges[i].size,
			.type = boot->ranges[i].type,
		};
	return NULL;
}

/* PML4, PDPT and a page directory for each GiB, in pages that follow each other. */
static struct vmm_error *page_tables_write(const struct guest_memory *memory)
{
	uint64_t table_bytes = PAGE_ENTRIES * sizeof(uint64_t);
	uint64_t *tables = guest_memory_at(memory, BOOT_PML4, (2 + MAPPED_GIB) * table_bytes);

	if (!tables)
		return vmm_error_new(VMM_EXIT_FAILED, "no memory for page tables");
	tables[0] = (BOOT_PML4 + table_bytes) | PAGE_PRESENT | PAGE_WRITE;
	for (unsigned i = 0; i < MAPPED_GIB; i++)
		tables[PAGE_ENTRIES + i] =
			(BOOT_PML4 + (2 + i) * table_bytes) | PAGE_PRESENT | PAGE_WRITE;
	for (unsigned i = 0; i < MAPPED_GIB * PAGE_ENTRIES; i++)
		tables[2 * PAGE_ENTRIES + i] =
			i * LARGE_PAGE | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
	return NULL;
}

static const uint64_t gdt[] = {
	[GDT_CODE / 8] = 0x00af9b000000ffff, /* execute and read, 64 bits */
	[GDT_DATA / 8] = 0x00cf93000000ffff, /* read and write */
	[GDT_TSS / 8] = 0x00008b0000000067,  /* busy 64-bit TSS at 0; takes two entries */
	[GDT_TSS / 8 + 1] = 0,
};

static const struct kvm_segment code_segment = {
	.limit = UINT32_MAX,
	.selector = GDT_CODE,
	.type = 0xb,
	.present = 1,
	.s = 1,
	.l = 1,
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
		.rip = boot->kernel.entry,
		.rsi = BOOT_PARAMS,
		.rsp = BOOT_PARAMS, /* not promised, but nothing of ours is right below it */
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
	system.cr0 = CR0_PE | CR0_ET | CR0_PG;
	system.cr3 = BOOT_PML4;
	system.cr4 = CR4_PAE;
	system.efer = EFER_LME | EFER_LMA;
	if (kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &system) < 0)
		return -1;
	return kvm_ioctl(vcpu->fd, KVM_SET_REGS, &registers);
}

struct vmm_error *boot_linux64(const struct boot *boot, struct machine *machine)
{
	VMM_TRY(params_write(boot, &machine->memory));
	VMM_TRY(page_tables_write(&machine->memory));
	guest_memory_write(&machine->memory, BOOT_GDT, gdt, sizeof(gdt));
	if (registers_set(boot, &machine->vcpus[0]) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "KVM does not take the registers of the 64-bit entry");
	return NULL;
}
