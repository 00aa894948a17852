/* SPDX-License-Identifier: MIT */
/*
 * Where a patch area goes: a hole in the target's address space from which every byte of the
 * module, and of the area, is reached by a signed 32-bit displacement.
 *
 * 1. Below the module first (nothing grows downwards towards a program image), then above it.
 * 2. Never close to what grows: the heap grows upwards behind [heap], or behind the main program
 *    as long as there is no heap; stacks grow downwards.
 * 3. The start address and the size carry a mark (below) by which recovery knows an area of which
 *    the tool was killed before it could write the header.
 *
 * Mark: an area starts at 0x57000 above a multiple of 1 MiB and has 3 pages more than a multiple
 * of 4. One in a thousand mappings of somebody else has the mark; recovery asks for more than it.
 */
#ifndef PATCHER_PLACEMENT_H
#define PATCHER_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "common/process_maps.h"

struct vg_placement {
	uint64_t start, end;  /* image of the module */
	uint64_t area_bytes;  /* marked: see vg_placement_round() */
	bool below_2g;	      /* non-PIE module, or VGP_LOW_2G */
	uint64_t min_address; /* vm.mmap_min_addr */
	/* Areas of the same patch that are placed already, but not mapped yet. */
	const struct vg_map *taken;
	size_t taken_count;
};

#define VG_PLACEMENT_STEP  0x100000ull
#define VG_PLACEMENT_START 0x57000ull

/* The next size up that carries the mark. */
uint64_t vg_placement_round(uint64_t bytes);
bool vg_placement_is_marked(uint64_t start, uint64_t bytes);
uint64_t vg_placement_min_address(void);

/* VG_REFUSED if there is no hole. */
VG_MUST_CHECK struct vg_error *vg_placement_find(const struct vg_placement *placement,
						 const struct vg_maps *maps, uint64_t *address);

#endif
