/* SPDX-License-Identifier: MIT */
/*
 * Instructions that the target has anyway and that injected calls run on, so that no code of it is
 * ever overwritten for them:
 *
 *   system_call   `syscall; ret`
 *   sigreturn     `mov $15, %eax` (either encoding); `syscall`: the restorer of every C library
 *
 * They are looked for in the bytes of executable file mappings and of the vDSO: first the vDSO,
 * then the C library and the program, which nobody unloads.
 */
#ifndef PATCHER_GADGET_H
#define PATCHER_GADGET_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "common/process_maps.h"
#include "patcher/memory.h"

struct vg_gadgets {
	uint64_t system_call;
	uint64_t sigreturn;
	uint64_t sigreturn_end; /* behind its syscall instruction: what seccomp filters see */
};

VG_MUST_CHECK struct vg_error *vg_gadgets_find(const struct vg_memory *memory,
					       const struct vg_maps *maps,
					       struct vg_gadgets *gadgets);
/* Looks in `count` bytes that lie at `address`; fills what is still 0. */
void vg_gadgets_scan(const uint8_t *bytes, size_t count, uint64_t address,
		     struct vg_gadgets *gadgets);

#endif
