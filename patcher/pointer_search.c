/* SPDX-License-Identifier: MIT */
#include "patcher/pointer_search.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/coroutine.h"
#include "patcher/pages.h"
#include "patcher/pieces.h"
#include "patcher/written.h"

#define WORD	     8
#define STEP	     4 /* every fourth byte may begin a pointer */
#define PIECE_BYTES  (VG_POINTER_SEARCH_BYTES - STEP)
#define RED_ZONE     128  /* System V ABI, 3.2.2 */
#define BLOCK	     1024 /* bytes that are looked at in one go; pages are whole blocks */
#define MANGLED_BITS 0x1ffffull

/* Bytes that were read are looked at in place, four at a time. */
typedef uint32_t __attribute__((may_alias)) half_word;

/* One walk through memory. */
struct walk {
	struct vg_pointer_search *search;
	bool is_survey;
	const struct vg_map *map; /* where the last run lay */
	/*
	 * Pages beside the runs have content too, and a word may lie half there. Otherwise they
	 * have none, and to read them would make the kernel map a page of zeros.
	 */
	bool has_neighbours;
	struct vg_pieces pieces; /* that are to be looked at */
};

static bool is_in(const struct vg_pointer_range *range, uint64_t value)
{
	return value - range->first <= range->last - range->first;
}

/* False: there is no room for one more. */
static bool add_half(struct vg_pointer_summary *summary, uint32_t upper, uint32_t first,
		     uint32_t last)
{
	struct vg_pointer_half *half = summary->halves, *end = half + summary->half_count;

	while (half < end && half->upper != upper)
		half++;
	if (half == summary->halves + sizeof(summary->halves) / sizeof(summary->halves[0]))
		return false;
	if (half == end) {
		*half = (struct vg_pointer_half){upper, first, last};
		summary->half_count++;
	}
	half->first = first < half->first ? first : half->first;
	half->last = last > half->last ? last : half->last;
	return true;
}

/* A range is shorter than 4 GiB: its ends have all the upper halves that there are. */
static bool add_range(struct vg_pointer_summary *summary, const struct vg_pointer_range *range)
{
	uint32_t low = (uint32_t)(range->first >> 32), high = (uint32_t)(range->last >> 32);
	uint32_t first = (uint32_t)range->first, last = (uint32_t)range->last;

	if (low == high)
		return add_half(summary, low, first, last);
	return add_half(summary, low, first, UINT32_MAX) && add_half(summary, high, 0, last);
}

static void sum_up(struct vg_pointer_search *search)
{
	struct vg_pointer_summary *summary = &search->summary;
	uint64_t low = UINT64_MAX, high = 0;
	bool has_room = true;

	*summary = (struct vg_pointer_summary){0};
	for (size_t i = 0; i < search->range_count; i++) {
		const struct vg_pointer_range *range = &search->ranges[i];

		low = range->first < low ? range->first : low;
		high = range->last > high ? range->last : high;
		has_room = has_room && add_range(summary, range);
	}
	summary->low = low;
	summary->span = high - low;
	if (!has_room)
		summary->half_count = 0;
}

static bool is_pointer(struct vg_pointer_search *search, uint64_t value)
{
	if (value - search->summary.low > search->summary.span)
		return false;
	for (size_t i = 0; i < search->range_count; i++)
		if (is_in(&search->ranges[i], value)) {
			search->found_range = i;
			return true;
		}
	return false;
}

/* glibc, sysdeps/unix/sysv/linux/x86_64/pointer_guard.h: xor, then rotate left by 17. */
static uint64_t demangle(const struct vg_pointer_search *search, uint64_t value)
{
	return (value >> 17 | value << 47) ^ search->guard;
}

static bool is_word(struct vg_pointer_search *search, const uint8_t *bytes, size_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return is_pointer(search, value) || (search->has_guard && offset % 8 == 0 &&
					     is_pointer(search, demangle(search, value)));
}

static size_t find_word(struct vg_pointer_search *search, const uint8_t *bytes, size_t count)
{
	for (size_t at = 0; at + WORD <= count; at += STEP)
		if (is_word(search, bytes, at))
			return at;
	return count;
}

/*
 * Could a word that begins in this block be one? Programs are full of pointers with the same upper
 * half as the patch has, so both halves count. The loops are such that the compiler makes vector
 * instructions of them. `halves` has one more than the block.
 */
__attribute__((target_clones("avx2", "default"), optimize("O3"))) static bool
is_block_interesting(const struct vg_pointer_search *search, const half_word *halves)
{
	const struct vg_pointer_summary *summary = &search->summary;
	uint32_t mark = (uint32_t)(search->guard >> 47), any = !summary->half_count;

	for (size_t r = 0; r < summary->half_count; r++) {
		struct vg_pointer_half half = summary->halves[r];
		uint32_t span = half.last - half.first;

		for (size_t i = 0; i < BLOCK / 4; i++)
			any |= (uint32_t)(halves[i + 1] == half.upper) &
			       (uint32_t)(halves[i] - half.first <= span);
	}
	if (!search->has_guard)
		return any;
	/* What is mangled is aligned: the lower halves of words have the mark. */
	for (size_t i = 0; i < BLOCK / 4; i += 2)
		any |= (uint32_t)((halves[i] & MANGLED_BITS) == mark);
	return any;
}

/* Within one block and the half word behind it; `count` if there is none. */
static size_t look_at_block(struct vg_pointer_search *search, const uint8_t *bytes, size_t count)
{
	half_word copy[BLOCK / 4 + 1];
	const half_word *halves = (const half_word *)bytes;

	if (count < sizeof(copy)) {
		memcpy(copy, bytes, count);
		memset((uint8_t *)copy + count, 0, sizeof(copy) - count);
		halves = copy;
	}
	if (!is_block_interesting(search, halves))
		return count;
	return find_word(search, bytes, count);
}

/* The offset of the first word that points into a range; `count` if there is none. */
static size_t look_at_bytes(struct vg_pointer_search *search, const uint8_t *bytes, size_t count)
{
	for (size_t at = 0; at < count; at += BLOCK) {
		size_t left = count - at, most = BLOCK + STEP;
		size_t take = left < most ? left : most;
		size_t word = look_at_block(search, bytes + at, take);

		if (word != take)
			return at + word;
	}
	return count;
}

bool vg_pointer_search_bytes(struct vg_pointer_search *search, const void *bytes, size_t count)
{
	sum_up(search);
	return look_at_bytes(search, bytes, count) != count;
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

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* Of this mapping, or the end of it if there is none. */
static uint64_t lowest_stack_pointer(const struct vg_pointer_search *search,
				     const struct vg_map *map)
{
	size_t low = 0, high = search->stack_pointer_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->stack_pointers[middle] < map->start)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == search->stack_pointer_count || search->stack_pointers[low] > map->end)
		return map->end;
	return search->stack_pointers[low];
}

/*
 * The part of the mapping that is to be searched begins here: behind the patch's own variables,
 * which may point to each other (what is mapped next to them shows as one mapping), and behind dead
 * memory.
 */
static uint64_t live_start(const struct vg_pointer_search *search, const struct vg_map *map)
{
	uint64_t lowest;

	for (size_t i = 0; i < search->range_count; i++)
		if (is_in(&search->ranges[i], map->start))
			return search->ranges[i].last < map->end
				       ? (search->ranges[i].last + WORD - 1) / WORD * WORD
				       : map->end;
	if (!is_stack(search->maps, map))
		return map->start;
	lowest = lowest_stack_pointer(search, map);
	if (lowest == map->end || lowest - map->start < RED_ZONE)
		return map->start;
	return (lowest - RED_ZONE) / WORD * WORD;
}

static bool is_over(const struct vg_pointer_search *search)
{
	return search->found || search->unfinished;
}

/* The page on which a word begins is looked at again, with what follows it. */
static void take_word(struct walk *walk, const struct vg_map *map, uint64_t word)
{
	struct vg_pointer_search *search = walk->search;
	bool counts = !walk->is_survey || !is_stack(search->maps, map);

	if (!search->found && counts)
		search->found = word;
	if (walk->is_survey)
		vg_suspects_add(search->suspects, word / VG_PAGE * VG_PAGE,
				word / VG_PAGE * VG_PAGE + VG_PAGE);
}

static void cannot_read(struct walk *walk, uint64_t start, uint64_t end)
{
	struct vg_pointer_search *search = walk->search;

	if (!search->unreadable)
		search->unreadable = start;
	if (walk->is_survey)
		vg_suspects_add(search->suspects, start / VG_PAGE * VG_PAGE, end);
}

/* The last word of a piece may end behind it. */
static void look_at_piece(void *context, const struct vg_piece *piece)
{
	struct walk *walk = context;
	struct vg_pointer_search *search = walk->search;
	uint64_t start = piece->start;

	if (search->found && !walk->is_survey)
		return;
	if (piece->got < piece->bytes)
		cannot_read(walk, start + piece->got, start + piece->bytes);
	search->bytes += piece->got;
	search->unfinished |= search->most && search->bytes > search->most;
	for (size_t at = 0, next; at < piece->got; at = next) {
		size_t word = at + look_at_bytes(search, piece->content + at, piece->got - at);

		if (word >= piece->bytes)
			return;
		take_word(walk, piece->map, start + word);
		if (!walk->is_survey)
			return;
		/* One word is enough for a page to be suspect. */
		next = (start + word) / VG_PAGE * VG_PAGE + VG_PAGE - start;
	}
}

static void look_at_pieces(struct walk *walk)
{
	walk->pieces.may_be_held_back = walk->search->may_be_held_back;
	vg_pieces_read(&walk->pieces, walk->search->memory, walk->search->buffer, look_at_piece,
		       walk);
}

/* At most PIECE_BYTES. */
static void add_piece(struct walk *walk, uint64_t start, uint64_t end, size_t beyond)
{
	const struct vg_piece piece = {
		.start = start, .bytes = end - start, .beyond = beyond, .map = walk->map};

	if (vg_pieces_add(&walk->pieces, &piece, VG_POINTER_SEARCH_BYTES))
		return;
	look_at_pieces(walk);
	vg_pieces_add(&walk->pieces, &piece, VG_POINTER_SEARCH_BYTES);
}

static bool is_too_large(const struct vg_pointer_search *search, const struct vg_map *map)
{
	return vg_map_is_too_large(map) && lowest_stack_pointer(search, map) == map->end;
}

static bool is_wanted(const struct vg_pointer_search *search, const struct vg_map *map)
{
	return can_hold_pointers(map) && !is_too_large(search, map);
}

/* Can a word go on here, at the end of a run? */
static bool has_more(const struct walk *walk, uint64_t end)
{
	const struct vg_maps *maps = walk->search->maps;
	const struct vg_map *next = walk->map + 1;

	return walk->has_neighbours &&
	       (end < walk->map->end || (next < maps->maps + maps->count && next->start == end));
}

/* The part of a run that lies in one mapping. */
static void look_at_part(struct walk *walk, uint64_t start, uint64_t end)
{
	uint64_t live = live_start(walk->search, walk->map);

	if (walk->has_neighbours && start > walk->map->start)
		start -= WORD;
	if (start < live)
		start = live;
	for (; start < end && !(is_over(walk->search) && !walk->is_survey); start += PIECE_BYTES) {
		uint64_t left = end - start;

		if (left > PIECE_BYTES)
			add_piece(walk, start, start + PIECE_BYTES, STEP);
		else
			add_piece(walk, start, end, has_more(walk, end) ? STEP : 0);
	}
}

/* Runs come in ascending order, and may lie in several mappings. */
static void look_at_run(void *context, uint64_t start, uint64_t end)
{
	struct walk *walk = context;
	const struct vg_maps *maps = walk->search->maps;

	for (; walk->map < maps->maps + maps->count && walk->map->start < end; walk->map++) {
		uint64_t from = start > walk->map->start ? start : walk->map->start;
		uint64_t to = end < walk->map->end ? end : walk->map->end;

		if (from < to && is_wanted(walk->search, walk->map))
			look_at_part(walk, from, to);
		if (end <= walk->map->end)
			return;
	}
}

/* Nothing lies there: the guard of a stack, mostly. */
static bool is_guard(const struct vg_map *map)
{
	return !map->readable && !map->writable && !map->executable && !map->shared;
}

/* Every page with content of one mapping; shared memory counts as a file's. */
static void look_at_map(struct walk *walk, const struct vg_map *map)
{
	uint64_t live = live_start(walk->search, map) / VG_PAGE * VG_PAGE;

	walk->map = map;
	walk->has_neighbours = false;
	if (live < map->end)
		vg_pages_list(walk->search->pagemap, live, map->end, map->shared, look_at_run,
			      walk);
}

/* Its written pages were looked at as those of a list. */
static bool is_listed(const struct vg_pointer_search *search, const struct vg_map *map)
{
	return search->written && coroutine_is_searched(map);
}

/* How many mappings from this one on can be asked about together, with guards between them. */
static size_t length_of_stretch(const struct vg_pointer_search *search, size_t first)
{
	const struct vg_maps *maps = search->maps;
	size_t end = first;

	for (size_t i = first; i < maps->count; i++) {
		const struct vg_map *map = &maps->maps[i];
		bool is_wanted_whole = !map->shared && is_wanted(search, map) &&
				       !is_stack(maps, map) && !is_listed(search, map);

		if (is_wanted_whole)
			end = i + 1;
		else if (!is_guard(map) || can_hold_pointers(map))
			break;
	}
	return end - first;
}

/* False: the kernel does not tell. */
static bool look_at_stretch(struct walk *walk, size_t first, size_t count)
{
	const struct vg_map *maps = walk->search->maps->maps;

	walk->map = &maps[first];
	walk->has_neighbours = true;
	return vg_written_list(walk->search->pagemap, maps[first].start,
			       maps[first + count - 1].end, look_at_run, walk);
}

/* The guard of the next stack, mostly: it begins where this mapping ends. */
static bool is_followed_by_guard(const struct vg_pointer_search *search, const struct vg_map *map)
{
	const struct vg_maps *maps = search->maps;

	return map + 1 < maps->maps + maps->count && map[1].start == map->end &&
	       is_guard(&map[1]) && is_wanted(search, &map[1]);
}

/* Mostly a page or two of many are live. The guard behind them is asked about with them. */
static size_t look_at_stack(struct walk *walk, const struct vg_map *map)
{
	uint64_t live = live_start(walk->search, map) / VG_PAGE * VG_PAGE;
	size_t count = is_followed_by_guard(walk->search, map) ? 2 : 1;

	walk->map = map;
	walk->has_neighbours = true;
	return vg_written_list(walk->search->pagemap, live, map[count - 1].end, look_at_run, walk)
		       ? count
		       : 0;
}

/* How many mappings were dealt with, from this one on; 0: the kernel does not tell. */
static size_t look_at_written(struct walk *walk, size_t first)
{
	struct vg_pointer_search *search = walk->search;
	const struct vg_map *map = &search->maps->maps[first];
	size_t count;

	if (is_listed(search, map))
		return 1;
	if (!search->only_written || map->shared || !is_wanted(search, map))
		return 0;
	if (is_stack(search->maps, map))
		return look_at_stack(walk, map);
	count = length_of_stretch(search, first);
	return look_at_stretch(walk, first, count) ? count : 0;
}

static void look_at_runs(struct walk *walk, const struct vg_suspects *suspects)
{
	walk->map = walk->search->maps->maps;
	walk->has_neighbours = true;
	for (size_t i = 0; suspects && i < suspects->count; i++) {
		const struct vg_suspect *run = &suspects->runs[i];
		/* Nobody needs to read what is no longer mapped. */
		look_at_run(walk, run->start, run->end);
	}
}

static void look_at_all(struct walk *walk)
{
	struct vg_pointer_search *search = walk->search;
	const struct vg_maps *maps = search->maps;

	for (size_t i = 0, count; i < maps->count; i += count) {
		const struct vg_map *map = &maps->maps[i];

		if (!walk->is_survey && is_over(search))
			return;
		count = look_at_written(walk, i);
		if (count)
			continue;
		count = 1;
		if (is_wanted(search, map))
			look_at_map(walk, map);
		else if (can_hold_pointers(map))
			search->left_out += map->end - map->start;
	}
}

static struct walk begin(struct vg_pointer_search *search, bool is_survey)
{
	search->found = search->unreadable = search->left_out = search->bytes = 0;
	search->unfinished = false;
	sum_up(search);
	return (struct walk){.search = search, .is_survey = is_survey};
}

static void run(struct vg_pointer_search *search, bool is_survey)
{
	struct walk walk = begin(search, is_survey);

	if (search->stack_pointer_count)
		qsort(search->stack_pointers, search->stack_pointer_count, WORD, by_value);
	if (!is_survey)
		look_at_runs(&walk, search->suspects);
	if (!is_survey && !is_over(search))
		look_at_runs(&walk, search->written);
	if (is_survey || !is_over(search))
		look_at_all(&walk);
	look_at_pieces(&walk);
}

struct vg_error *vg_pointer_survey(struct vg_pointer_search *search)
{
	search->suspects->count = 0;
	run(search, true);
	return search->suspects->no_memory ? vg_error_no_memory() : NULL;
}

struct vg_error *vg_pointer_survey_again(struct vg_pointer_search *search,
					 struct vg_suspects *again)
{
	struct vg_suspects *all = search->suspects, found = {0};
	struct walk walk = begin(search, true);
	bool no_memory;

	search->suspects = &found;
	look_at_runs(&walk, again);
	look_at_pieces(&walk);
	search->suspects = all;
	no_memory = again->no_memory || found.no_memory || !vg_suspects_join(all, &found);
	again->count = 0;
	vg_suspects_clear(&found);
	return no_memory ? vg_error_no_memory() : NULL;
}

void vg_pointer_search(struct vg_pointer_search *search)
{
	run(search, false);
}
