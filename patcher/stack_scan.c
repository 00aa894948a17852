/* SPDX-License-Identifier: MIT */
#include "patcher/stack_scan.h"

#define CHUNK_BYTES 65536

struct stack_ranges stack_ranges_of(const struct vg_code_range *ranges, size_t count)
{
	struct stack_ranges all = {.ranges = ranges, .count = count, .low = UINT64_MAX};
	uint64_t high = 0;

	for (size_t i = 0; i < count; i++) {
		if (ranges[i].start < all.low)
			all.low = ranges[i].start;
		if (ranges[i].end > high)
			high = ranges[i].end;
	}
	all.span = high > all.low ? high - all.low : 0;
	return all;
}

static bool is_word_in(const struct vg_code_range *range, uint64_t word)
{
	if (word == range->start)
		return !range->is_entry;
	if (word == range->end)
		return !range->ends_without_call;
	return word > range->start && word < range->end;
}

const struct vg_code_range *stack_word_hit(const struct stack_ranges *ranges, uint64_t word)
{
	if (word - ranges->low > ranges->span)
		return NULL;
	for (size_t i = 0; i < ranges->count; i++)
		if (is_word_in(&ranges->ranges[i], word))
			return &ranges->ranges[i];
	return NULL;
}

static bool is_ip_in(const struct vg_code_range *range, uint64_t ip, bool exact)
{
	if (!exact)
		return ip > range->start && ip <= range->end;
	if (ip == range->start)
		return !range->is_entry;
	return ip > range->start && ip < range->end;
}

const struct vg_code_range *stack_ip_hit(const struct stack_ranges *ranges, uint64_t ip, bool exact)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (is_ip_in(&ranges->ranges[i], ip, exact))
			return &ranges->ranges[i];
	return NULL;
}

static void add_hit(struct stack_hits *hits, uint64_t address, const struct vg_code_range *range)
{
	if (!hits->count++) {
		hits->first = range;
		hits->lowest = hits->highest = address;
	}
	if (address < hits->lowest)
		hits->lowest = address;
	if (address > hits->highest)
		hits->highest = address;
}

void stack_scan_words(const struct stack_ranges *ranges, const uint64_t *words, size_t count,
		      uint64_t address, struct stack_hits *hits)
{
	for (size_t i = 0; i < count; i++) {
		if (words[i] - ranges->low > ranges->span)
			continue;

		const struct vg_code_range *range = stack_word_hit(ranges, words[i]);
		if (range)
			add_hit(hits, address + 8 * i, range);
	}
}

bool stack_scan_region(const struct stack_ranges *ranges, const struct vg_memory *memory,
		       uint64_t start, uint64_t end, struct stack_hits *hits)
{
	uint64_t words[CHUNK_BYTES / 8];

	while (start < end) {
		size_t want = end - start < CHUNK_BYTES ? end - start : CHUNK_BYTES;
		size_t got = vg_memory_read_some(memory, start, words, want);

		stack_scan_words(ranges, words, got / 8, start, hits);
		if (got != want)
			return false;
		start += got;
	}
	return true;
}
