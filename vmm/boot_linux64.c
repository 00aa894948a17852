/* SPDX-License-Identifier: MIT */
/*
 * The Linux 64-bit boot protocol (Documentation/arch/x86/boot.rst): long mode with an identity
 * map, flat segments 0x10 and 0x18, interrupts off, RSI points to boot_params, RIP is the ELF
 * entry.
 */
#include "vmm/boot.h"
#include "vmm/boot_registers.h"
#include "vmm/machine.h"

#include <asm/bootparam.h>

#define PAGE_PRESENT UINT64_C(0x01)
#define PAGE_WRITE   UINT64_C(0x02)
#define PAGE_LARGE   UINT64_C(0x80)
#define PAGE_ENTRIES 512
#define LARGE_PAGE   (UINT64_C(2) << 20)
#define MAPPED_GIB   4

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

struct vmm_error *boot_linux64(const struct boot *boot, struct machine *machine)
{
	const struct boot_registers registers = {
		.entry = "64-bit",
		.general =
			{
				.rip = boot->kernel.entry,
				.rsi = BOOT_PARAMS,
				/* Not promised, but nothing of ours is right below it. */
				.rsp = BOOT_PARAMS,
				.rflags = 0x2,
			},
		.cr0 = CR0_PE | CR0_ET | CR0_PG,
		.cr3 = BOOT_PML4,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA,
	};

	VMM_TRY(params_write(boot, &machine->memory));
	VMM_TRY(page_tables_write(&machine->memory));
	return boot_registers_set(&registers, machine);
}
