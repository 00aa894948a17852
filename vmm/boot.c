/* SPDX-License-Identifier: MIT */
#include "vmm/boot.h"

#include "vmm/machine.h"

static void range_add(struct boot *boot, uint64_t start, uint64_t end, uint32_t type)
{
	boot->ranges[boot->range_count++] =
		(struct boot_range){.address = start, .size = end - start, .type = type};
}

static void ranges_lay_out(struct boot *boot, const struct guest_memory *memory)
{
	uint64_t low = guest_memory_low_end(memory);

	range_add(boot, 0, BOOT_BASE_END, BOOT_RANGE_RAM);
	range_add(boot, BOOT_BASE_END, 0xa0000, BOOT_RANGE_RESERVED);
	range_add(boot, BOOT_ACPI, BOOT_KERNEL_MIN, BOOT_RANGE_RESERVED);
	range_add(boot, BOOT_KERNEL_MIN, low, BOOT_RANGE_RAM);
	if (memory->size > low)
		range_add(boot, GUEST_HIGH_RAM_START, GUEST_HIGH_RAM_START + memory->size - low,
			  BOOT_RANGE_RAM);
}

uint8_t boot_checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

uint8_t boot_io_apic_id(unsigned cpus)
{
	return cpus < 15 ? (uint8_t)cpus : 0;
}

static struct vmm_error *protocol_choose(struct boot *boot, const struct options *options)
{
	const struct elf_kernel *kernel = &boot->kernel;

	boot->protocol = options->boot;
	if (options->boot == BOOT_AUTO)
		boot->protocol = kernel->has_pvh_entry ? BOOT_PVH : BOOT_LINUX64;
	if (boot->protocol == BOOT_PVH && !kernel->has_pvh_entry)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the kernel %s has no PVH entry (XEN_ELFNOTE_PHYS32_ENTRY): "
				     "boot it with --boot linux64",
				     options->kernel);
	if (boot->protocol == BOOT_LINUX64 && !kernel->is_64bit)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the kernel %s has 32 bits and no PVH entry: there is no "
				     "protocol to boot it with",
				     options->kernel);
	return NULL;
}

struct vmm_error *boot_load(struct boot *boot, struct machine *machine,
			    const struct options *options)
{
	*boot = (struct boot){0};
	VMM_TRY(elf_kernel_load(&boot->kernel, options->kernel, &machine->memory));
	VMM_TRY(protocol_choose(boot, options));
	if (options->initrd)
		VMM_TRY(boot_initrd_load(boot, options->initrd, &machine->memory));
	VMM_TRY(boot_cmdline(boot, machine, options->append));
	guest_memory_write(&machine->memory, BOOT_CMDLINE, boot->cmdline, sizeof(boot->cmdline));
	ranges_lay_out(boot, &machine->memory);
	VMM_TRY(mptable_write(machine));
	VMM_TRY(acpi_write(machine));
	return boot->protocol == BOOT_PVH ? boot_pvh(boot, machine) : boot_linux64(boot, machine);
}
