/* SPDX-License-Identifier: MIT */
#ifndef VMM_BOOT_REGISTERS_H
#define VMM_BOOT_REGISTERS_H

#include "vmm/error.h"

#include <stdint.h>

#include <linux/kvm.h>

struct machine;

/* Intel SDM vol. 3, 2.5 and 2.2.1. */
#define CR0_PE	 (UINT64_C(1) << 0)
#define CR0_ET	 (UINT64_C(1) << 4)
#define CR0_PG	 (UINT64_C(1) << 31)
#define CR4_PAE	 (UINT64_C(1) << 5)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)

/* How vCPU 0 enters a kernel: code of 64 bits where efer has EFER_LMA, otherwise of 32. */
struct boot_registers {
	const char *entry; /* for the sentence of an error */
	struct kvm_regs general;
	uint64_t cr0, cr3, cr4, efer;
};

/*
 * With flat segments 0x10 and 0x18, both in the registers and in a GDT at BOOT_GDT, and no IDT.
 * Before any vCPU runs.
 */
struct vmm_error *boot_registers_set(const struct boot_registers *registers,
				     struct machine *machine) VMM_MUST_CHECK;

#endif
