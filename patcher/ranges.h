/* SPDX-License-Identifier: MIT */
/* The code that a stack check must not meet, for each verb. */
#ifndef PATCHER_RANGES_H
#define PATCHER_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/area.h"
#include "patcher/stack_check.h"

struct vg_ranges {
	struct vg_code_range *ranges;
	size_t count;
};
void vg_ranges_clear(struct vg_ranges *ranges);

/*
 * Applying: the old code of every changed function and its parts, and what older patches put in its
 * place. `biases` are the load biases of the object's modules. How old code ends is read from
 * `memory`, target running.
 */
VG_MUST_CHECK struct vg_error *vg_ranges_apply(const struct vg_patch *patch, const uint64_t *biases,
					       const struct vg_memory *memory,
					       const struct vg_areas *areas,
					       struct vg_ranges *ranges);
/* Could these `count` bytes be the end of code whose last instruction is a call, or enters the
 * kernel? */
bool vg_may_end_in_call(const uint8_t *tail, size_t count);
/* Reverting: all stubs and all of TEXT. */
VG_MUST_CHECK struct vg_error *vg_ranges_revert(const struct vg_installed *installed,
						struct vg_ranges *ranges);
/* The hooks of a patch, for which recovery waits: their own code is on the stack while they run. */
VG_MUST_CHECK struct vg_error *vg_ranges_hooks(const struct vg_installed *installed,
					       struct vg_ranges *ranges);
/* The areas of all patches, for unwinding through them; *areas is owned by the caller. */
VG_MUST_CHECK struct vg_error *vg_ranges_code_areas(const struct vg_areas *all,
						    struct vg_code_area **areas, size_t *count);
/* The areas of one patch, stubs and TEXT. */
VG_MUST_CHECK struct vg_error *vg_ranges_patch_areas(const struct vg_installed *installed,
						     struct vg_code_area **areas, size_t *count);

#endif
