/* SPDX-License-Identifier: MIT */
/* The entry of a changed function: is it what the patch expects, and can it be armed? */
#ifndef PATCHER_ENTRY_H
#define PATCHER_ENTRY_H

#include <stdint.h>

#include <vgraft/error.h>

#include "common/patch_object.h"
#include "patcher/session.h"

struct vg_entry {
	uint64_t address;
	uint8_t now[VGP_JUMP_BYTES]; /* what stands there, the jump of an older patch included */
	uint64_t below;		     /* dispatcher of the newest older patch, 0 = none */
};

/*
 * Compares the bytes at the entry with what the patch and the older patches say. Anything else
 * (another live patcher, a debugger's breakpoint, another build) is refused.
 */
VG_MUST_CHECK struct vg_error *vg_entry_check(const struct vg_session *session,
					      const struct vg_patch *patch,
					      const struct vgp_function *function, uint64_t bias,
					      struct vg_entry *entry);

#endif
