/* SPDX-License-Identifier: MIT */
/*
 * ELF kernels (System V gABI, chapters 4 and 5; x86-64 and i386 psABI): parsed, checked against
 * the guest's memory, loaded at their physical addresses.
 */
#ifndef VMM_BOOT_ELF_H
#define VMM_BOOT_ELF_H

#include "vmm/error.h"
#include "vmm/guest_memory.h"

#include <stdbool.h>
#include <stdint.h>

struct elf_kernel {
	bool is_64bit;
	bool is_linux;	     /* has a note by "Linux" */
	bool in_kernel_half; /* a segment's virtual address is in the upper half */
	bool has_pvh_entry;  /* XEN_ELFNOTE_PHYS32_ENTRY */
	uint32_t pvh_entry;  /* physical */
	uint64_t entry;	     /* e_entry */
	uint64_t end;	     /* first physical address behind all segments */
};

/* Refuses what is no kernel: no PVH entry, and linked as only programs are. */
struct vmm_error *elf_kernel_load(struct elf_kernel *kernel, const char *path,
				  const struct guest_memory *memory) VMM_MUST_CHECK;

#endif
