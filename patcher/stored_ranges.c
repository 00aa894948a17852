/* SPDX-License-Identifier: MIT */
#include "patcher/stored_ranges.h"

#include <stdlib.h>

#include "common/error.h"

void vg_stored_ranges_clear(struct vg_stored_ranges *stored)
{
	free(stored->ranges);
	*stored = (struct vg_stored_ranges){0};
}

static struct vg_error *add_range(struct vg_stored_ranges *stored, uint64_t first, uint64_t last)
{
	struct vg_pointer_range *grown =
		reallocarray(stored->ranges, stored->count + 1, sizeof(*grown));

	if (!grown)
		return vg_error_no_memory();
	stored->ranges = grown;
	grown[stored->count++] = (struct vg_pointer_range){first, last};
	return NULL;
}

static uint32_t max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/*
 * Displaced instructions take as much room as they took at the entry, or more, and then the jump
 * back if there is one: known by its relocation. Too short an answer makes the search find too
 * much; too long a one would hide the constants that follow.
 */
static uint32_t end_of_displaced(const struct vg_patch *patch, uint32_t segment,
				 const struct vgp_function *function)
{
	uint32_t end = function->displaced_offset + function->entry_bytes;

	for (size_t i = 0; i < patch->reloc_count; i++)
		if (patch->relocs[i].segment == segment && patch->relocs[i].offset == end + 1 &&
		    patch->relocs[i].type == VGP_PC32)
			return end + VGP_JUMP_BYTES;
	return end;
}

/*
 * Functions of the module come first in its TEXT. A pointer that is stored leads to where one
 * begins; what leads into the middle of code is a return address, and those the stack check looks
 * at. Dead ones are everywhere: on the stacks that glibc keeps of threads that have ended, in a
 * jmp_buf, in the arcs of a profiler.
 */
static struct vg_error *list_functions(const struct vg_installed *installed,
				       struct vg_stored_ranges *stored, uint32_t segment,
				       uint64_t text, uint32_t *code)
{
	const struct vg_patch *patch = installed->object;
	uint32_t module = patch->segments[segment].module;

	*code = 0;
	for (size_t i = 0; i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];
		uint64_t start = text + function->new_offset;

		if (function->module != module)
			continue;
		VG_TRY(add_range(stored, start, start));
		*code = max(*code, function->new_offset + function->new_bytes);
		if (function->kind == VGP_CHANGED)
			*code = max(*code, end_of_displaced(patch, segment, function));
	}
	for (size_t i = 0; i < patch->part_count; i++)
		if (patch->functions[patch->parts[i].function].module == module)
			*code = max(*code, patch->parts[i].new_offset + patch->parts[i].new_bytes);
	return NULL;
}

/* Unwind information is for unwinders alone. */
static uint32_t end_of_constants(const struct vg_patch *patch, uint32_t segment)
{
	for (size_t i = 0; i < patch->unwind_count; i++)
		if (patch->unwinds[i].segment == segment)
			return patch->unwinds[i].offset;
	return patch->segments[segment].memory_bytes;
}

static struct vg_error *list_segment(const struct vg_installed *installed, uint32_t segment,
				     struct vg_stored_ranges *stored)
{
	const struct vg_patch *patch = installed->object;
	const struct vgp_segment *record = &patch->segments[segment];
	uint64_t address = vg_installed_segment(installed, segment);
	uint32_t code, end;

	if (!address)
		return NULL;
	if (record->kind != VGP_TEXT)
		return add_range(stored, address, address + record->memory_bytes);
	VG_TRY(list_functions(installed, stored, segment, address, &code));
	end = end_of_constants(patch, segment);
	return code < end ? add_range(stored, address + code, address + end) : NULL;
}

struct vg_error *vg_stored_ranges(const struct vg_installed *installed,
				  struct vg_stored_ranges *stored)
{
	for (size_t i = 0; installed->object && i < installed->object->segment_count; i++)
		VG_TRY(list_segment(installed, (uint32_t)i, stored));
	for (size_t i = 0; !installed->object && i < installed->area_count; i++) {
		const struct vga_header *header = &installed->areas[i].header;

		VG_TRY(add_range(stored, header->area_address,
				 header->area_address + header->area_bytes));
	}
	return NULL;
}
