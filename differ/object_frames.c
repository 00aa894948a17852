/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "common/error.h"
#include "differ/listing.h"
#include "differ/unwind_table.h"

/* What the relocation at an offset refers to; they are in ascending order. */
static bool relocated_item(const struct vg_object_section *section, uint64_t field,
			   struct vg_item **item)
{
	size_t low = 0, high = section->reloc_count;
	int64_t offset;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (section->relocs[middle].offset < field)
			low = middle + 1;
		else
			high = middle;
	}
	return low < section->reloc_count && section->relocs[low].offset == field &&
	       vg_reloc_target(&section->relocs[low], 0, item, &offset) && !offset;
}

static bool read_frame(const struct vg_object_section *section, const struct vg_unwind_fde *fde,
		       struct vg_frame *frame)
{
	frame->size = 0;
	memcpy(&frame->size, section->data + fde->pc_range_offset, fde->pointer_bytes);
	return relocated_item(section, fde->pc_begin_offset, &frame->item) &&
	       vg_item_is_function(frame->item) && frame->size >= frame->item->size;
}

/* *whole: each record covers one item. */
static struct vg_error *read_section(struct vg_object *object,
				     const struct vg_object_section *section, size_t *room,
				     bool *whole)
{
	struct vg_frames *frames = &object->frames;
	struct vg_unwind_cie cie = {0};
	struct vg_unwind_fde fde;
	uint64_t next = 0;
	bool is_cie;

	for (uint64_t at = 0; *whole && section->data && at < section->size; at = next) {
		if (!vg_unwind_next(section->data, section->size, at, &next, &is_cie, &cie, &fde))
			break;
		if (is_cie)
			continue;
		if (!vg_list_grow(object->arena, &frames->at, frames->count, room,
				  sizeof(*frames->at)))
			return vg_error_no_memory();
		*whole = read_frame(section, &fde, &frames->at[frames->count++]);
	}
	return NULL;
}

struct vg_error *vg_object_read_frames(struct vg_object *object)
{
	size_t room = 0;
	bool whole = true;

	for (size_t i = 1; i < object->section_count; i++)
		if (!strcmp(object->sections[i].name, ".eh_frame"))
			VG_TRY(read_section(object, &object->sections[i], &room, &whole));
	if (!whole)
		object->frames.count = 0;
	return NULL;
}
