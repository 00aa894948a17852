/* SPDX-License-Identifier: MIT */
/*
 * How a guest starts: everything that firmware would have done. What we leave in low memory:
 *
 *   0x00500  GDT             0x06000  hvm_start_info, module list, memory map (PVH)
 *   0x07000  boot_params (Linux 64-bit protocol)
 *   0x09000  page tables, 6 pages: identity map of the low 4 GiB
 *   0x10000  command line
 *   0x9fc00  end of base memory
 *   0xe0000  ACPI tables, the RSDP first
 *   0xf0000  Intel MP floating pointer and configuration table
 *   1 MiB    kernel segments, wherever they want to be
 *   end      initrd, as high as it fits
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include "vmm/boot_elf.h"
#include "vmm/options.h"
#include "vmm/error.h"

#include <stddef.h>
#include <stdint.h>

#define BOOT_GDT	UINT64_C(0x500)
#define BOOT_START_INFO UINT64_C(0x6000)
#define BOOT_PARAMS	UINT64_C(0x7000)
#define BOOT_PML4	UINT64_C(0x9000)
#define BOOT_CMDLINE	UINT64_C(0x10000)
#define BOOT_BASE_END	UINT64_C(0x9fc00)
#define BOOT_ACPI	UINT64_C(0xe0000)
#define BOOT_MPTABLE	UINT64_C(0xf0000)
#define BOOT_KERNEL_MIN UINT64_C(0x100000)

#define BOOT_LOCAL_APIC UINT32_C(0xfee00000)
#define BOOT_IO_APIC	UINT32_C(0xfec00000)

#define BOOT_CMDLINE_MAX 2047 /* what Linux takes, without the final zero */
#define BOOT_RANGES_MAX	 6

struct machine;

/* A line of the memory map; types as in e820 and in hvm_memmap_table_entry. */
struct boot_range {
	uint64_t address;
	uint64_t size;
	uint32_t type;
};

#define BOOT_RANGE_RAM	    1
#define BOOT_RANGE_RESERVED 2

struct boot {
	struct elf_kernel kernel;
	enum boot_protocol protocol; /* BOOT_PVH or BOOT_LINUX64 */
	uint64_t initrd;	     /* guest-physical */
	uint64_t initrd_size;	     /* 0: none */
	char cmdline[BOOT_CMDLINE_MAX + 1];
	unsigned range_count;
	struct boot_range ranges[BOOT_RANGES_MAX];
};

/* Loads everything and puts vCPU 0 at the kernel's entry. Before any vCPU runs. */
struct vmm_error *boot_load(struct boot *boot, struct machine *machine,
			    const struct options *options) VMM_MUST_CHECK;

/* boot_cmdline.c: what the user gave plus what the guest needs to find its devices. */
struct vmm_error *boot_cmdline(struct boot *boot, const struct machine *machine,
			       const char *append) VMM_MUST_CHECK;

/* boot_initrd.c */
struct vmm_error *boot_initrd_load(struct boot *boot, const char *path,
				   const struct guest_memory *memory) VMM_MUST_CHECK;

/* boot_pvh.c, boot_linux64.c: the protocol's tables, and vCPU 0's registers at its entry. */
struct vmm_error *boot_pvh(const struct boot *boot, struct machine *machine) VMM_MUST_CHECK;
struct vmm_error *boot_linux64(const struct boot *boot, struct machine *machine) VMM_MUST_CHECK;

/* acpi.c: the RSDP is at BOOT_ACPI. */
struct vmm_error *acpi_write(const struct machine *machine) VMM_MUST_CHECK;

/* What makes all bytes add up to zero. */
uint8_t boot_checksum(const void *data, size_t size);

/* An id of four bits that no processor has, where there is one. */
uint8_t boot_io_apic_id(unsigned cpus);

/* mptable.c: Intel MultiProcessor Specification 1.4. */
struct vmm_error *mptable_write(const struct machine *machine) VMM_MUST_CHECK;

#endif
