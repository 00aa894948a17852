/* SPDX-License-Identifier: MIT */
#include "patcher/pointer_search.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/coroutine.h"

#define PAGE	     ((uint64_t)4096)
#define PIECE_PAGES  64			 /* that are read in one go */
#define PRESENT	     (UINT64_C(1) << 63) /* admin-guide/mm/pagemap */
#define SWAPPED	     (UINT64_C(1) << 62)
#define RED_ZONE     128  /* System V ABI, 3.2.2 */
#define BLOCK	     1024 /* bytes that are looked at in one go; pages are whole blocks */
#define MANGLED_BITS 0x1ffffull

static bool is_in(const struct vg_pointer_range *range, uint64_t value)
{
	return value - range->first <= range->last - range->first;
}

static bool is_pointer(const struct vg_pointer_search *search, uint64_t value)
{
	for (size_t i = 0; i < search->range_count; i++)
		if (is_in(&search->ranges[i], value))
			return true;
	return false;
}

/* glibc, sysdeps/unix/sysv/linux/x86_64/pointer_guard.h: xor, then rotate left by 17. */
static uint64_t demangle(const struct vg_pointer_search *search, uint64_t value)
{
	return (value >> 17 | value << 47) ^ search->guard;
}

static bool is_word(const struct vg_pointer_search *search, const uint8_t *bytes, size_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return is_pointer(search, value) || (search->has_guard && offset % 8 == 0 &&
					     is_pointer(search, demangle(search, value)));
}

/* The offset of the first word that points into a range; `count` if there is none. */
static size_t find_word(const struct vg_pointer_search *search, const uint8_t *bytes, size_t count)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= count; at += 4)
		if (is_word(search, bytes, at))
			return at;
	return count;
}

bool vg_pointer_search_bytes(const struct vg_pointer_search *search, const void *bytes,
			     size_t count)
{
	return find_word(search, bytes, count) != count;
}

/*
 * Could a word that begins in this block be one? Upper halves decide nearly always; the loops are
 * such that the compiler makes vector instructions of them. `halves` has one more than the block.
 */
static bool is_block_interesting(const struct vg_pointer_search *search, const uint32_t *halves)
{
	uint32_t mark = (uint32_t)(search->guard >> 47), any = 0;

	for (size_t r = 0; r < search->range_count; r++) {
		uint32_t low = (uint32_t)(search->ranges[r].first >> 32);
		uint32_t high = (uint32_t)(search->ranges[r].last >> 32);

		for (size_t i = 1; i <= BLOCK / 4; i++)
			any |= (uint32_t)(halves[i] == low) | (uint32_t)(halves[i] == high);
	}
	if (!search->has_guard)
		return any;
	for (size_t i = 0; i < BLOCK / 4; i++)
		any |= (uint32_t)((halves[i] & MANGLED_BITS) == mark);
	return any;
}

/* Returns the address of the first word that points into a range, or 0. */
static uint64_t look_at_bytes(const struct vg_pointer_search *search, const uint8_t *bytes,
			      size_t count, uint64_t address)
{
	uint32_t halves[BLOCK / 4 + 1];

	for (size_t at = 0; at < count; at += BLOCK) {
		size_t left = count - at, take = left < sizeof(halves) ? left : sizeof(halves);

		memset(halves, 0, sizeof(halves));
		memcpy(halves, bytes + at, take);
		if (!is_block_interesting(search, halves))
			continue;
		size_t word = find_word(search, (const uint8_t *)halves, take);

		if (word != take)
			return address + at + word;
	}
	return 0;
}

static bool is_stack(const struct vg_maps *maps, const struct vg_map *map)
{
	if (strcmp(map->path, "[stack]") == 0)
		return true;
	return map > maps->maps && map[-1].end == map->start && !map[-1].readable &&
	       !map[-1].writable;
}

static bool is_behind_a_device(const struct vg_map *map)
{
	return map->shared && strncmp(map->path, "/dev/shm/", 9) != 0 &&
	       strncmp(map->path, "/dev/zero", 9) != 0 && strncmp(map->path, "/memfd:", 7) != 0 &&
	       strncmp(map->path, "/SYSV", 5) != 0;
}

/* Memory that was written once may be read-only by now. Reading from devices is never harmless. */
static bool can_hold_pointers(const struct vg_map *map)
{
	if (map->executable || is_behind_a_device(map))
		return false;
	return map->writable || vg_map_is_anonymous(map);
}

/* Of this mapping, or the end of it if there is none. */
static uint64_t lowest_stack_pointer(const struct vg_pointer_search *search,
				     const struct vg_map *map)
{
	uint64_t lowest = map->end;

	for (size_t i = 0; i < search->stack_pointer_count; i++)
		if (search->stack_pointers[i] >= map->start && search->stack_pointers[i] < lowest)
			lowest = search->stack_pointers[i];
	return lowest;
}

/*
 * The part of the mapping that is to be searched begins here: behind the patch's own variables,
 * which may point to each other (what is mapped next to them shows as one mapping), and behind dead
 * memory.
 */
static uint64_t live_start(const struct vg_pointer_search *search, const struct vg_map *map)
{
	uint64_t lowest = lowest_stack_pointer(search, map);

	for (size_t i = 0; i < search->range_count; i++)
		if (is_in(&search->ranges[i], map->start))
			return search->ranges[i].last < map->end ? search->ranges[i].last
								 : map->end;
	if (!is_stack(search->maps, map) || lowest == map->end || lowest - map->start < RED_ZONE)
		return map->start;
	return (lowest - RED_ZONE) & ~UINT64_C(7);
}

static bool is_too_large(const struct vg_pointer_search *search, const struct vg_map *map)
{
	return map->end - map->start > COROUTINE_MAP_MAX && strcmp(map->path, "[heap]") != 0 &&
	       lowest_stack_pointer(search, map) == map->end;
}

static void look_at_piece(struct vg_pointer_search *search, uint64_t start, uint64_t end,
			  uint8_t *buffer)
{
	/* The last word of a piece may end in the next one. */
	size_t got = vg_memory_read_some(search->memory, start, buffer, end - start + 4);

	if (got < end - start && !search->unreadable)
		search->unreadable = start + got;
	search->found = look_at_bytes(search, buffer, got, start);
}

/* Pages with content. Without an answer every page has to be taken for one. */
static void read_pagemap(int pagemap, uint64_t start, uint64_t *entries, size_t count)
{
	if (pread(pagemap, entries, 8 * count, (off_t)(start / PAGE * 8)) != (ssize_t)(8 * count))
		memset(entries, 0xff, 8 * count);
}

/* At most PIECE_PAGES pages from `start` on. */
static void look_at_pages(struct vg_pointer_search *search, uint64_t start, size_t count,
			  int pagemap, uint8_t *buffer)
{
	uint64_t entries[PIECE_PAGES];

	read_pagemap(pagemap, start, entries, count);
	for (size_t i = 0, run; i < count && !search->found; i += run) {
		bool has_content = entries[i] & (PRESENT | SWAPPED);

		for (run = 1; i + run < count; run++)
			if (!(entries[i + run] & (PRESENT | SWAPPED)) == has_content)
				break;
		if (has_content)
			look_at_piece(search, start + i * PAGE, start + (i + run) * PAGE, buffer);
	}
}

/* The first page is searched from where the live part begins: a word before it is dead. */
static void look_at_map(struct vg_pointer_search *search, const struct vg_map *map, int pagemap,
			uint8_t *buffer)
{
	uint64_t live = live_start(search, map), at = (live + PAGE - 1) / PAGE * PAGE;

	if (live < at)
		look_at_piece(search, live, at < map->end ? at : map->end, buffer);
	for (; at < map->end && !search->found; at += PIECE_PAGES * PAGE) {
		uint64_t left = (map->end - at) / PAGE;

		look_at_pages(search, at, left < PIECE_PAGES ? left : PIECE_PAGES, pagemap, buffer);
	}
}

static bool is_wanted(struct vg_pointer_search *search, const struct vg_map *map)
{
	if (!can_hold_pointers(map) || (search->skip_stacks && is_stack(search->maps, map)))
		return false;
	if (!is_too_large(search, map))
		return true;
	search->left_out += map->end - map->start;
	return false;
}

struct vg_error *vg_pointer_search(struct vg_pointer_search *search)
{
	_cleanup_free_ uint8_t *buffer = malloc(PIECE_PAGES * PAGE + 4);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", search->tid);
	_cleanup_close_ int pagemap = open(path, O_RDONLY | O_CLOEXEC);

	if (!buffer)
		return vg_error_no_memory();
	search->found = search->unreadable = search->left_out = 0;
	for (size_t i = 0; i < search->maps->count && !search->found; i++)
		if (is_wanted(search, &search->maps->maps[i]))
			look_at_map(search, &search->maps->maps[i], pagemap, buffer);
	return NULL;
}
