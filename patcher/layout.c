/* SPDX-License-Identifier: MIT */
#include "patcher/layout.h"

#include <stdbool.h>

#include "patcher/placement.h"
#include "patcher/stub.h"
#include "patcher/unwind_table.h"

#define PAGE 4096u

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) / align * align;
}

static uint32_t count_changed(const struct vg_patch *patch, unsigned module)
{
	uint32_t count = 0;

	for (size_t i = 0; i < patch->function_count; i++)
		if (patch->functions[i].module == module && patch->functions[i].kind == VGP_CHANGED)
			count++;
	return count;
}

/* Sums in 64 bits; the object is at most VGP_MAX_BYTES, but its segments may ask for more memory.
 */
struct vg_error *vg_layout_make(const struct vg_patch *patch, unsigned module,
				struct vg_layout *layout)
{
	const struct vgp_segment *text = vg_patch_segment(patch, module, VGP_TEXT);
	const struct vgp_segment *data = vg_patch_segment(patch, module, VGP_DATA);
	bool primary = module == VG_PRIMARY_MODULE;
	size_t records;

	VG_TRY(vg_unwind_count(patch, module, &records));

	uint32_t count = count_changed(patch, module);
	uint64_t functions = sizeof(struct vga_header);
	uint64_t registration = functions + (uint64_t)count * sizeof(struct vga_function);
	uint64_t name = registration + sizeof(struct vga_registration);
	/* A page of its own for what is data: only that gets a name (install.c). */
	uint64_t stubs = align_up(name + VG_AREA_NAME_BYTES, PAGE);
	uint64_t stubs_bytes = (uint64_t)count * VG_STUB_BYTES;
	uint64_t unwind = align_up(stubs + stubs_bytes, VG_UNWIND_ALIGN);
	uint64_t unwind_bytes = vg_unwind_bytes(count, records);
	uint64_t text_start =
		align_up(unwind + unwind_bytes, text && text->align ? text->align : 1);
	uint64_t text_bytes = text ? text->memory_bytes : 0;
	uint64_t object = align_up(text_start + text_bytes, 8);
	uint64_t object_bytes = primary ? patch->byte_count : 0;
	uint64_t data_start = align_up(object + object_bytes, PAGE);
	uint64_t data_bytes = data ? data->memory_bytes : 0;
	uint64_t end = vg_placement_round(data_start + data_bytes);

	if (end > UINT32_MAX / 2)
		return vg_error_new(VG_REFUSED,
				    "patch %s needs %llu bytes in the target, which is more than "
				    "code can reach",
				    vg_patch_name(patch), (unsigned long long)end);
	*layout = (struct vg_layout){
		.function_count = count,
		.functions_offset = (uint32_t)functions,
		.registration_offset = (uint32_t)registration,
		.name_offset = (uint32_t)name,
		.stubs_offset = (uint32_t)stubs,
		.stubs_bytes = (uint32_t)stubs_bytes,
		.unwind_offset = (uint32_t)unwind,
		.unwind_bytes = (uint32_t)unwind_bytes,
		.text_offset = (uint32_t)text_start,
		.text_bytes = (uint32_t)text_bytes,
		.object_offset = primary ? (uint32_t)object : 0,
		.object_bytes = (uint32_t)object_bytes,
		.data_offset = data ? (uint32_t)data_start : 0,
		.data_bytes = (uint32_t)data_bytes,
		.area_bytes = end,
	};
	return NULL;
}
