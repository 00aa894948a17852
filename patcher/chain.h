/* SPDX-License-Identifier: MIT */
/*
 * The chain of a function: the patches that changed it, the newest on top.
 *
 *   entry -> dispatcher of the newest -> … `below` … -> dispatcher of the oldest -> displaced code
 *
 * A patch is taken out of the middle by giving the one above it what was below it. The displaced
 * code at the bottom is each patch's own: whoever becomes the lowest uses its own copy.
 */
#ifndef PATCHER_CHAIN_H
#define PATCHER_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "patcher/area.h"

/* One function of one patch in the target. */
struct vg_link {
	struct vg_installed *installed;
	struct vg_area *area;
	size_t index; /* of the record */
};

static inline struct vga_function *vg_link_record(const struct vg_link *link)
{
	return &link->area->functions[link->index];
}

/* The newest and the oldest patch whose entries lead to it, at an entry. False: none. */
bool vg_chain_top(const struct vg_areas *areas, uint64_t entry, struct vg_link *link);
bool vg_chain_bottom(const struct vg_areas *areas, uint64_t entry, struct vg_link *link);
/* Is the patch in the chain of this entry? */
bool vg_chain_holds(const struct vg_installed *installed, uint64_t entry, struct vg_link *link);
/*
 * Do all entries of the patch lead into their chains? Not if a module was unloaded (dlclose), or
 * somebody else wrote there.
 */
bool vg_chain_is_whole(const struct vg_memory *memory, const struct vg_areas *areas,
		       const struct vg_installed *installed);
/*
 * Do these bytes lead to this record? The first of them may be another one: an uprobe puts a
 * breakpoint there and, when it is taken out, the byte that the file has.
 */
bool vg_chain_is_jump_to(const struct vga_function *record, const uint8_t bytes[VGP_JUMP_BYTES]);
/* What runs below a patch once `removed`, which is directly below it, is gone. */
uint64_t vg_chain_below_without(const struct vga_function *above,
				const struct vga_function *removed);

#endif
