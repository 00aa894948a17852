/* SPDX-License-Identifier: MIT */
#include "patcher/ranges.h"

#include <stdlib.h>

#include "patcher/stub.h"

/*
 * The object does not say how long displaced instructions are: up to VGP_MAX_ENTRY bytes, made
 * longer where they were relative, and a jump back.
 */
#define DISPLACED_BYTES 64

/* CALL r/m with SIB and a displacement of 32 bits; prefixes come before and do not matter. */
#define LONGEST_CALL 7

void vg_ranges_clear(struct vg_ranges *ranges)
{
	free(ranges->ranges);
	*ranges = (struct vg_ranges){0};
}

static struct vg_error *add(struct vg_ranges *ranges, uint64_t start, uint64_t bytes,
			    const char *function, bool is_entry)
{
	struct vg_code_range *grown =
		reallocarray(ranges->ranges, ranges->count + 1, sizeof(*grown));

	if (!grown)
		return vg_error_new(VG_FAILED, "out of memory for the ranges of the stack check");
	ranges->ranges = grown;
	if (bytes)
		grown[ranges->count++] = (struct vg_code_range){.start = start,
								.end = start + bytes,
								.function = function,
								.is_entry = is_entry};
	return NULL;
}

/* Intel SDM vol. 2: CALL rel16 and rel32 (E8), CALL r/m (FF /2, FF /3), SYSCALL, SYSENTER, INT. */
static bool is_call(const uint8_t *code, size_t bytes)
{
	if (code[0] == 0xe8)
		return bytes == 3 || bytes == 5;
	if (code[0] == 0xff)
		return (code[1] >> 3 & 7) == 2 || (code[1] >> 3 & 7) == 3;
	if (code[0] == 0x0f)
		return bytes == 2 && (code[1] == 0x05 || code[1] == 0x34);
	return code[0] == 0xcd && bytes == 2;
}

/* Code cannot be decoded backwards: whatever could be read as a call counts as one. */
bool vg_may_end_in_call(const uint8_t *tail, size_t count)
{
	if (count && tail[count - 1] == 0xcc)
		return true;
	for (size_t bytes = 2; bytes <= LONGEST_CALL && bytes <= count; bytes++)
		if (is_call(tail + count - bytes, bytes))
			return true;
	return count < 2;
}

/*
 * The old code of a function, or of a part of it when `entry` is NULL. Where a patch is applied, a
 * jump stands in place of the entry: its bytes are in the object.
 */
static bool ends_without_call(const struct vg_memory *memory, const struct vg_code_range *range,
			      const struct vgp_function *entry)
{
	uint64_t bytes = range->end - range->start;
	uint8_t tail[LONGEST_CALL];
	size_t count = bytes < sizeof(tail) ? bytes : sizeof(tail);
	uint64_t first = bytes - count; /* its offset in the function */

	if (vg_memory_read_some(memory, range->start + first, tail, count) != count)
		return false;
	for (size_t i = 0; entry && i < count && first + i < entry->entry_bytes; i++)
		tail[i] = entry->entry[first + i];
	return !vg_may_end_in_call(tail, count);
}

static void see_end(struct vg_ranges *ranges, size_t before, const struct vg_memory *memory,
		    const struct vgp_function *entry)
{
	struct vg_code_range *range = &ranges->ranges[before];

	if (ranges->count > before)
		range->ends_without_call = ends_without_call(memory, range, entry);
}

/* What an older patch brought for a function: its new code and parts, stubs, displaced code. */
static struct vg_error *add_older(struct vg_ranges *ranges, const struct vg_installed *older,
				  const struct vg_area *area, size_t i)
{
	const struct vga_function *record = &area->functions[i];
	const struct vgp_function *function = &older->object->functions[record->function];
	const char *name = vg_patch_string(older->object, function->name);
	uint64_t text = area->header.area_address + area->header.text_offset;

	VG_TRY(add(ranges, record->dispatcher, VG_STUB_BYTES, name, false));
	VG_TRY(add(ranges, record->displaced, DISPLACED_BYTES, name, false));
	VG_TRY(add(ranges, record->new_code, function->new_bytes, name, true));
	for (size_t j = 0; j < older->object->part_count; j++) {
		const struct vgp_part *part = &older->object->parts[j];

		if (part->function == record->function)
			VG_TRY(add(ranges, text + part->new_offset, part->new_bytes, name, false));
	}
	return NULL;
}

static struct vg_error *add_all_older(struct vg_ranges *ranges, const struct vg_areas *areas,
				      uint64_t entry)
{
	for (size_t p = 0; p < areas->count; p++) {
		const struct vg_installed *older = &areas->patches[p];

		for (size_t a = 0; vg_installed_is_linked(older) && a < older->area_count; a++)
			for (size_t i = 0; i < older->areas[a].header.function_count; i++)
				if (older->areas[a].functions[i].entry == entry)
					VG_TRY(add_older(ranges, older, &older->areas[a], i));
	}
	return NULL;
}

struct vg_error *vg_ranges_apply(const struct vg_patch *patch, const uint64_t *biases,
				 const struct vg_memory *memory, const struct vg_areas *areas,
				 struct vg_ranges *ranges)
{
	for (size_t i = 0; i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];
		uint64_t entry = biases[function->module] + function->old_address;
		size_t before = ranges->count;

		if (function->kind != VGP_CHANGED)
			continue;
		VG_TRY(add(ranges, entry, function->old_bytes,
			   vg_patch_string(patch, function->name), true));
		see_end(ranges, before, memory, function);
		VG_TRY(add_all_older(ranges, areas, entry));
	}
	for (size_t i = 0; i < patch->part_count; i++) {
		const struct vgp_part *part = &patch->parts[i];
		const struct vgp_function *function = &patch->functions[part->function];
		size_t before = ranges->count;

		VG_TRY(add(ranges, biases[function->module] + part->old_address, part->old_bytes,
			   vg_patch_string(patch, function->name), false));
		see_end(ranges, before, memory, NULL);
	}
	return NULL;
}

struct vg_error *vg_ranges_revert(const struct vg_installed *installed, struct vg_ranges *ranges)
{
	for (size_t i = 0; i < installed->area_count; i++) {
		const struct vga_header *header = &installed->areas[i].header;
		uint64_t start = header->area_address + header->stubs_offset;
		uint64_t end = header->area_address + header->text_offset + header->text_bytes;

		VG_TRY(add(ranges, start, end - start, vg_installed_name(installed), false));
	}
	return NULL;
}

struct vg_error *vg_ranges_hooks(const struct vg_installed *installed, struct vg_ranges *ranges)
{
	const struct vg_patch *object = installed->object;

	for (size_t i = 0; object && i < object->hook_count; i++) {
		const struct vgp_hook *hook = &object->hooks[i];

		VG_TRY(add(ranges, vg_installed_segment(installed, hook->segment) + hook->offset,
			   hook->bytes, vg_patch_string(object, hook->name), false));
	}
	return NULL;
}

/* The .eh_frame of an area, as the object says. */
static void set_unwind(const struct vg_installed *installed, const struct vga_header *header,
		       struct vg_code_area *area)
{
	const struct vg_patch *object = installed->object;

	for (size_t i = 0; object && i < object->unwind_count; i++) {
		const struct vgp_unwind *unwind = &object->unwinds[i];

		if (object->segments[unwind->segment].module != header->module)
			continue;
		area->eh_frame = header->area_address + header->text_offset + unwind->offset;
		area->eh_frame_bytes = unwind->bytes;
	}
}

static void fill_areas(const struct vg_installed *installed, struct vg_code_area *areas,
		       size_t *count)
{
	for (size_t i = 0; i < installed->area_count; i++) {
		const struct vga_header *header = &installed->areas[i].header;
		struct vg_code_area *area = &areas[(*count)++];

		*area = (struct vg_code_area){.start = header->area_address + header->stubs_offset,
					      .end = header->area_address + header->text_offset +
						     header->text_bytes,
					      .name = vg_installed_name(installed)};
		set_unwind(installed, header, area);
	}
}

static struct vg_error *allocate(size_t count, struct vg_code_area **areas)
{
	*areas = calloc(count ? count : 1, sizeof(**areas));
	return *areas ? NULL : vg_error_new(VG_FAILED, "out of memory for the patch areas");
}

struct vg_error *vg_ranges_code_areas(const struct vg_areas *all, struct vg_code_area **areas,
				      size_t *count)
{
	size_t most = 0;

	for (size_t i = 0; i < all->count; i++)
		most += all->patches[i].area_count;
	*count = 0;
	VG_TRY(allocate(most, areas));
	for (size_t i = 0; i < all->count; i++)
		if (vg_installed_is_linked(&all->patches[i]) || all->patches[i].object)
			fill_areas(&all->patches[i], *areas, count);
	return NULL;
}

struct vg_error *vg_ranges_patch_areas(const struct vg_installed *installed,
				       struct vg_code_area **areas, size_t *count)
{
	*count = 0;
	VG_TRY(allocate(installed->area_count, areas));
	fill_areas(installed, *areas, count);
	return NULL;
}
