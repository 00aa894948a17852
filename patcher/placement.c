/* SPDX-License-Identifier: MIT */
#include "patcher/placement.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

#define PAGE	    0x1000ull
#define REACH	    (0x80000000ull - 0x10000) /* +-2 GiB, less what an addend may add */
#define TOP	    0x7ffffffff000ull	      /* of the user half (4-level paging) */
#define HEAP_GUARD  (256ull << 20)	      /* left free behind what grows upwards */
#define STACK_GUARD (256ull << 20)	      /* left free below what grows downwards */
#define GUARD	    (1ull << 20)	      /* stack_guard_gap, and no merging of mappings */
#define BRK_RANDOM  (32ull << 20)	      /* the heap may start so far behind the program */

uint64_t vg_placement_round(uint64_t bytes)
{
	uint64_t pages = (bytes + PAGE - 1) / PAGE;

	while (pages % 4 != 3)
		pages++;
	return pages * PAGE;
}

bool vg_placement_is_marked(uint64_t start, uint64_t bytes)
{
	return start % VG_PLACEMENT_STEP == VG_PLACEMENT_START && bytes % PAGE == 0 &&
	       bytes / PAGE % 4 == 3;
}

uint64_t vg_placement_min_address(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/vm/mmap_min_addr", "re");
	uint64_t address = 0;

	if (!file || fscanf(file, "%" SCNu64, &address) != 1 || address < 0x10000)
		return 0x10000;
	return address;
}

static bool is_heap(const struct vg_map *map)
{
	return strcmp(map->path, "[heap]") == 0;
}

static bool is_stack(const struct vg_map *map)
{
	return strcmp(map->path, "[stack]") == 0;
}

/* How much is left free above a mapping. */
static uint64_t room_above(const struct vg_maps *maps, size_t i, const struct vg_placement *p)
{
	if (is_heap(&maps->maps[i]))
		return HEAP_GUARD;
	/* The end of an image: if it is the main program's, the heap will start behind it. */
	if (maps->maps[i].end == p->end)
		return HEAP_GUARD + BRK_RANDOM;
	return GUARD;
}

static uint64_t room_below(const struct vg_map *map)
{
	return is_stack(map) ? STACK_GUARD : GUARD;
}

static bool overlaps_taken(const struct vg_placement *p, uint64_t start)
{
	for (size_t i = 0; i < p->taken_count; i++)
		if (start < p->taken[i].end + GUARD &&
		    start + p->area_bytes + GUARD > p->taken[i].start)
			return true;
	return false;
}

/* Every byte of the one must reach every byte of the other. */
static bool is_in_reach(const struct vg_placement *p, uint64_t start)
{
	uint64_t lowest = start < p->start ? start : p->start;
	uint64_t highest = start + p->area_bytes > p->end ? start + p->area_bytes : p->end;

	if (p->below_2g && start + p->area_bytes > REACH)
		return false;
	return highest - lowest <= REACH;
}

/* The address in the hole [low, high) that is nearest to the module, or 0. */
static uint64_t fit(const struct vg_placement *p, uint64_t low, uint64_t high)
{
	if (high < p->area_bytes || high - p->area_bytes < low)
		return 0;
	bool below = high <= p->start;
	uint64_t wanted = below ? high - p->area_bytes : low;
	uint64_t start = wanted / VG_PLACEMENT_STEP * VG_PLACEMENT_STEP + VG_PLACEMENT_START;

	if (below && start > wanted)
		start -= VG_PLACEMENT_STEP;
	if (!below && start < wanted)
		start += VG_PLACEMENT_STEP;
	while (start >= low && start + p->area_bytes <= high && is_in_reach(p, start)) {
		if (!overlaps_taken(p, start))
			return start;
		start += below ? -VG_PLACEMENT_STEP : VG_PLACEMENT_STEP;
	}
	return 0;
}

/* Between two segments of the module itself: its own, even where nothing is mapped. */
static bool is_inside_module(const struct vg_placement *p, uint64_t low)
{
	return low > p->start && low < p->end;
}

/* The hole between mapping i - 1 and mapping i (i == count: above the last one), less guards. */
static uint64_t fit_hole(const struct vg_placement *p, const struct vg_maps *maps, size_t i)
{
	uint64_t low = p->min_address;
	uint64_t high = TOP;

	if (i > 0 && is_inside_module(p, maps->maps[i - 1].end))
		return 0;
	if (i > 0) {
		uint64_t above = maps->maps[i - 1].end + room_above(maps, i - 1, p);

		low = above > low ? above : low;
	}
	if (i < maps->count) {
		uint64_t room = room_below(&maps->maps[i]);

		high = maps->maps[i].start > room ? maps->maps[i].start - room : 0;
	}
	/* The reach caps the hole on both sides. */
	if (p->end > REACH && low < p->end - REACH)
		low = p->end - REACH;
	if (high > p->start + REACH)
		high = p->start + REACH;
	if (p->below_2g && high > REACH)
		high = REACH;
	return low < high ? fit(p, low, high) : 0;
}

struct vg_error *vg_placement_find(const struct vg_placement *p, const struct vg_maps *maps,
				   uint64_t *address)
{
	size_t first_above = 0;

	while (first_above < maps->count && maps->maps[first_above].start < p->start)
		first_above++;
	for (size_t i = first_above + 1; i-- > 0;)
		if ((*address = fit_hole(p, maps, i)))
			return NULL;
	for (size_t i = first_above + 1; i <= maps->count; i++)
		if ((*address = fit_hole(p, maps, i)))
			return NULL;
	return vg_error_new(VG_REFUSED,
			    "there is no free hole of %" PRIu64 " bytes within 2 GiB of the module "
			    "at 0x%" PRIx64 "%s; revert patches that are no longer needed",
			    p->area_bytes, p->start, p->below_2g ? " and below 2 GiB" : "");
}
