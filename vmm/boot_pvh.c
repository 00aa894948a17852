/* SPDX-License-Identifier: MIT */
/*
 * The PVH entry (Xen's x86/HVM direct boot ABI): 32-bit protected mode, flat segments, no paging,
 * interrupts off, EBX points to hvm_start_info. Structures: xen/interface/hvm/start_info.h.
 */
#include "vmm/boot.h"
#include "vmm/boot_registers.h"
#include "vmm/machine.h"

#define START_MAGIC   0x336ec578
#define START_VERSION 1

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

struct vmm_error *boot_pvh(const struct boot *boot, struct machine *machine)
{
	const struct boot_registers registers = {
		.entry = "PVH",
		.general =
			{
				.rip = boot->kernel.pvh_entry,
				.rbx = BOOT_START_INFO,
				.rflags = 0x2,
			},
		.cr0 = CR0_PE | CR0_ET,
	};

	VMM_TRY(start_info_write(boot, &machine->memory));
	return boot_registers_set(&registers, machine);
}
