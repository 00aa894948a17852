/* SPDX-License-Identifier: MIT */
/*
 * Shadow variables (<vgraft/hooks.h>) of patches that are replaced (replace.h): the replacing one
 * gets them.
 *
 *   look     target running: which tables there are; all refusals that can be told by then
 *   carry    in the stop, before the pre-apply hooks: reads the old tables, writes the new one
 *
 * Nothing but the new table is written, and nobody reads that before the commit. Until then the old
 * code runs with the old tables, also after a tool that is killed in between: recovery takes the
 * new patch out, table and all, and the next apply carries the variables as they are by then. From
 * the commit on the new table is complete, and recovery need do nothing about it.
 *
 * Nobody is in the middle of changing an old table: that is code of its patch, which is on no stack
 * in the stop. The target's memory is untrusted all the same: what does not make sense is an error.
 */
#ifndef PATCHER_SHADOWS_H
#define PATCHER_SHADOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "common/patch_object.h"
#include "patcher/area.h"
#include "patcher/memory.h"

/* A table in the target; with its fixed part as it was read, or is to be written. */
struct vg_shadow_table {
	const char *patch; /* its name, not owned */
	uint64_t address;
	uint32_t count, bytes; /* as in struct vgp_shadow_table; count 0: no table */
	uint8_t *fixed;	       /* keys and sizes: vgp_shadow_values(count) bytes */
	uint8_t *values;
};

struct vg_shadows {
	const struct vg_memory *memory;
	bool drops; /* VGP_DROPS_SHADOWS */
	struct vg_shadow_table to;
	struct vg_shadow_table *from; /* of the replaced patches, oldest first */
	size_t from_count;
	size_t live; /* variables in them at the last look */
};

/*
 * Target running. `patch` is going in, `segments` are the addresses of its segments; a patch that
 * replaces none has nothing to carry. VG_REFUSED by the rule `shadow` if a variable would be lost.
 */
VG_MUST_CHECK struct vg_error *
vg_shadows_look(const struct vg_memory *memory, const struct vg_areas *areas,
		const struct vg_patch *patch, const uint64_t *segments, struct vg_shadows *shadows);
/* All threads stopped and safe. Refuses as above; then nothing was changed. */
VG_MUST_CHECK struct vg_error *vg_shadows_carry(struct vg_shadows *shadows);
void vg_shadows_clear(struct vg_shadows *shadows);

#endif
