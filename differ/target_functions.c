/* SPDX-License-Identifier: MIT */
/* Where the target's functions begin and end, by its .eh_frame: true for stripped binaries too. */
#include <libdwarf/dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/target_binary.h"
#include "differ/unwind_table.h"

static uint64_t read_pointer(const uint8_t *data, const struct vg_unwind_fde *fde, uint64_t offset,
			     bool is_signed)
{
	uint64_t value = 0;

	memcpy(&value, data + offset, fde->pointer_bytes);
	if (is_signed && fde->pointer_bytes == 4)
		return (uint64_t)(int64_t)(int32_t)value;
	return value;
}

static struct vg_error *add_function(struct vg_target *target, const uint8_t *data,
				     uint64_t address, uint8_t encoding,
				     const struct vg_unwind_fde *fde)
{
	struct vg_span span = {
		.start = read_pointer(data, fde, fde->pc_begin_offset, true),
		.frame = target->functions.count,
	};

	if ((encoding & 0x70) == DW_EH_PE_pcrel)
		span.start += address + fde->pc_begin_offset;
	span.end = span.start + read_pointer(data, fde, fde->pc_range_offset, false);
	if (!vg_target_bytes(target, span.start, span.end - span.start))
		return NULL;
	return vg_list_push(target->arena, &target->functions, span) ? NULL : vg_error_no_memory();
}

static int by_start(const void *left, const void *right)
{
	const struct vg_span *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

static int by_size(const void *left, const void *right)
{
	const struct vg_span *a = left, *b = right;
	uint64_t m = a->end - a->start, n = b->end - b->start;

	return m == n ? by_start(left, right) : (m > n) - (m < n);
}

const struct vg_span *vg_target_function_at(const struct vg_target *target, uint64_t start)
{
	size_t low = 0, high = target->functions.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (target->functions.at[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < target->functions.count && target->functions.at[low].start == start
		       ? &target->functions.at[low]
		       : NULL;
}

static size_t first_of_size(const struct vg_target *target, uint64_t size)
{
	size_t low = 0, high = target->functions.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct vg_span *span = &target->by_size[middle];

		if (span->end - span->start < size)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct vg_span *vg_target_functions_of_size(const struct vg_target *target, uint64_t size,
						  size_t *count)
{
	size_t first = first_of_size(target, size);

	*count = first_of_size(target, size + 1) - first;
	return target->by_size + first;
}

/* QEMU has 22,758 functions: what looks for one by its size must not walk through all. */
static struct vg_error *sort_functions(struct vg_target *target)
{
	size_t count = target->functions.count;

	target->by_size = vg_arena_alloc(target->arena, count + 1, sizeof(*target->by_size));
	target->frames = vg_arena_alloc(target->arena, count + 1, sizeof(*target->frames));
	if (!target->by_size || !target->frames)
		return vg_error_no_memory();
	if (!count)
		return NULL;
	memcpy(target->frames, target->functions.at, count * sizeof(*target->frames));
	qsort(target->functions.at, count, sizeof(*target->functions.at), by_start);
	memcpy(target->by_size, target->functions.at, count * sizeof(*target->by_size));
	qsort(target->by_size, count, sizeof(*target->by_size), by_size);
	return NULL;
}

struct vg_error *vg_target_read_functions(struct vg_target *target)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = vg_elf_section(target->elf, ".eh_frame", &shdr);
	const uint8_t *data = scn ? vg_target_bytes(target, shdr.sh_addr, shdr.sh_size) : NULL;
	uint64_t next = 0;
	struct vg_unwind_cie cie = {0}, parent;
	struct vg_unwind_fde fde, unused;
	bool is_cie;

	for (uint64_t at = 0; data; at = next) {
		uint64_t after;

		if (!vg_unwind_next(data, shdr.sh_size, at, &next, &is_cie, &cie, &fde))
			break;
		if (is_cie)
			continue;
		if (!vg_unwind_next(data, shdr.sh_size, fde.cie, &after, &is_cie, &parent, &unused))
			break;
		VG_TRY(add_function(target, data, shdr.sh_addr, parent.encoding, &fde));
	}
	return sort_functions(target);
}
