/* SPDX-License-Identifier: MIT */
/*
 * Where in the memory of a patch can an address lead that somebody has stored? To where a function
 * begins, to constants, to variables: not into the middle of code, where only return addresses
 * lead.
 */
#ifndef PATCHER_STORED_RANGES_H
#define PATCHER_STORED_RANGES_H

#include <stddef.h>

#include <vgraft/error.h>

#include "patcher/area.h"
#include "patcher/pointer_search.h"

struct vg_stored_ranges {
	struct vg_pointer_range *ranges;
	size_t count;
};
void vg_stored_ranges_clear(struct vg_stored_ranges *stored);

/* Adds those of one patch. Without the object that is anything in its areas. */
VG_MUST_CHECK struct vg_error *vg_stored_ranges(const struct vg_installed *installed,
						struct vg_stored_ranges *stored);

#endif
