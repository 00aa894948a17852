/* SPDX-License-Identifier: MIT */
#include "patcher/names.h"

#include <stdlib.h>

#include "patcher/stub.h"
#include "patcher/unwind_table.h"

void vg_names_clear(struct vg_names *names)
{
	free(names->names);
	*names = (struct vg_names){0};
}

static struct vg_error *add(struct vg_names *names, const struct vg_name *name)
{
	struct vg_name *grown = reallocarray(names->names, names->count + 1, sizeof(*grown));

	if (!grown)
		return vg_error_new(VG_FAILED, "out of memory for the names of patched functions");
	names->names = grown;
	if (name->bytes)
		grown[names->count++] = *name;
	return NULL;
}

static struct vg_error *add_functions(const struct vg_patch *object, const struct vg_area *area,
				      struct vg_name name, struct vg_names *names)
{
	uint64_t text = area->header.area_address + area->header.text_offset;

	for (size_t i = 0; i < object->function_count; i++) {
		const struct vgp_function *function = &object->functions[i];

		if (function->module != area->header.module)
			continue;
		name.symbol = vg_patch_string(object, function->symbol);
		name.address = text + function->new_offset;
		name.bytes = function->new_bytes;
		VG_TRY(add(names, &name));
	}
	for (size_t i = 0; i < object->part_count; i++) {
		const struct vgp_part *part = &object->parts[i];

		if (object->functions[part->function].module != area->header.module)
			continue;
		name.symbol = vg_patch_string(object, part->name);
		name.address = text + part->new_offset;
		name.bytes = part->new_bytes;
		VG_TRY(add(names, &name));
	}
	return NULL;
}

static struct vg_error *add_stubs(const struct vg_patch *object, const struct vg_area *area,
				  struct vg_name name, struct vg_names *names)
{
	name.kind = ".entry";
	name.bytes = VG_STUB_BYTES;
	for (size_t i = 0; i < area->header.function_count; i++) {
		const struct vga_function *record = &area->functions[i];

		name.symbol = vg_patch_string(object, object->functions[record->function].symbol);
		name.address = record->dispatcher;
		VG_TRY(add(names, &name));
	}
	name.kind = "";
	name.symbol = "find_object";
	name.address = area->header.area_address + area->header.unwind_offset;
	name.bytes = VG_FIND_OBJECT_BYTES;
	return add(names, &name);
}

struct vg_error *vg_names_list(const struct vg_areas *areas, struct vg_names *names)
{
	*names = (struct vg_names){0};
	for (size_t p = 0; p < areas->count; p++) {
		const struct vg_installed *installed = &areas->patches[p];
		struct vg_name name = {.kind = "", .patch = vg_installed_name(installed)};

		for (size_t a = 0; vg_installed_is_linked(installed) && a < installed->area_count;
		     a++) {
			VG_TRY(add_functions(installed->object, &installed->areas[a], name, names));
			VG_TRY(add_stubs(installed->object, &installed->areas[a], name, names));
		}
	}
	return NULL;
}
