/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a patch object: as they are, and resealed, so that the checksum does not stand in
 * front of everything else. What passes is used as the patcher uses it: laid out, relocated,
 * every record read. Whatever vg_patch_parse() lets through must be in range there.
 */
#include <string.h>

#include "common/patch_object.h"
#include "patcher/layout.h"
#include "patcher/relocate.h"
#include "patcher/stub.h"
#include "tests/fuzz/lib/input.h"

#define MODULE_ADDRESS UINT64_C(0x555555000000)
#define AREA_ADDRESS   UINT64_C(0x555554000000)
#define MAX_IMAGE      (1u << 20) /* larger segments are only laid out: memory, not bounds */

static void check_layout(const struct vg_patch *patch, unsigned module)
{
	struct vg_layout layout;
	struct vg_error *error = vg_layout_make(patch, module, &layout);

	if (!error) {
		PROMISE(layout.functions_offset +
				layout.function_count * (uint64_t)sizeof(struct vga_function) <=
			layout.registration_offset);
		PROMISE(layout.registration_offset + sizeof(struct vga_registration) <=
			layout.name_offset);
		PROMISE(layout.name_offset + VG_AREA_NAME_BYTES <= layout.stubs_offset);
		PROMISE((uint64_t)layout.stubs_offset + layout.stubs_bytes <= layout.unwind_offset);
		PROMISE((uint64_t)layout.unwind_offset + layout.unwind_bytes <= layout.text_offset);
		PROMISE(!layout.object_offset ||
			(uint64_t)layout.text_offset + layout.text_bytes <= layout.object_offset);
		PROMISE(!layout.data_offset ||
			(uint64_t)layout.object_offset + layout.object_bytes <= layout.data_offset);
		PROMISE((uint64_t)layout.data_offset + layout.data_bytes <= layout.area_bytes);
	}
	vg_error_free(error);
}

/* Memory of a segment, as the patcher would copy it into the target; NULL: too large to try. */
static uint8_t *make_image(const struct vg_patch *patch, const struct vgp_segment *segment)
{
	uint8_t *image =
		segment->memory_bytes > MAX_IMAGE ? NULL : malloc(segment->memory_bytes + 1);

	if (!image)
		return NULL;
	memset(image, 0, segment->memory_bytes);
	memcpy(image, patch->contents + segment->content_offset, segment->content_bytes);
	return image;
}

static uint64_t *make_addresses(size_t count, uint64_t first)
{
	uint64_t *addresses = calloc(count + 1, sizeof(*addresses));

	PROMISE(addresses);
	for (size_t i = 0; i < count; i++)
		addresses[i] = first + 0x1000 * i;
	return addresses;
}

static void relocate(const struct vg_patch *patch)
{
	uint64_t *modules = make_addresses(patch->module_count, MODULE_ADDRESS);
	uint64_t *segments = make_addresses(patch->segment_count, AREA_ADDRESS);
	uint64_t *imports = make_addresses(patch->import_count, MODULE_ADDRESS);
	struct vg_bases bases = {.modules = modules, .segments = segments, .imports = imports};

	for (size_t i = 0; i < patch->segment_count && i < 64; i++) {
		uint8_t *image = make_image(patch, &patch->segments[i]);

		if (image)
			vg_error_free(vg_relocate_segment(patch, (unsigned)i, &bases, image));
		free(image);
	}
	free(modules);
	free(segments);
	free(imports);
}

/* New code and displaced instructions as they would be read from the relocated segment. */
static void read_function(const struct vg_patch *patch, const struct vgp_function *function,
			  const uint8_t *text)
{
	uint8_t jump[VGP_JUMP_BYTES];

	fuzz_touch_string(vg_patch_string(patch, function->name));
	fuzz_touch_string(vg_patch_string(patch, function->file));
	fuzz_touch_string(vg_patch_string(patch, function->symbol));
	PROMISE(function->module < patch->module_count);
	fuzz_touch(text + function->new_offset, function->new_bytes);
	if (function->kind != VGP_CHANGED)
		return;
	PROMISE(function->entry_bytes >= VGP_JUMP_BYTES &&
		function->entry_bytes <= sizeof(function->entry));
	fuzz_touch(text + function->displaced_offset, function->entry_bytes);
	vg_stub_entry_jump(MODULE_ADDRESS + function->old_address, AREA_ADDRESS, jump);
}

static void read_functions(const struct vg_patch *patch)
{
	for (size_t i = 0; i < patch->function_count && i < 64; i++) {
		const struct vgp_function *function = &patch->functions[i];
		const struct vgp_segment *text =
			vg_patch_segment(patch, function->module, VGP_TEXT);
		uint8_t *image = text ? make_image(patch, text) : NULL;

		PROMISE(text);
		if (image)
			read_function(patch, function, image);
		free(image);
	}
}

static void read_shadows(const struct vg_patch *patch, const struct vgp_shadow_table *table)
{
	const struct vgp_segment *data = &patch->segments[table->segment];

	PROMISE(data->kind == VGP_DATA && table->count && table->bytes);
	PROMISE(table->offset + vgp_shadow_values(table->count) +
			(uint64_t)table->count * table->bytes <=
		data->memory_bytes);
}

static void read_others(const struct vg_patch *patch)
{
	fuzz_touch_string(vg_patch_name(patch));
	fuzz_touch_string(vg_patch_string(patch, patch->info->cve));
	fuzz_touch_string(vg_patch_string(patch, patch->info->producer));
	PROMISE(vg_patch_name_is_valid(vg_patch_name(patch)));
	for (size_t i = 0; i < patch->depend_count; i++)
		fuzz_touch_string(vg_patch_string(patch, patch->depends[i]));
	for (size_t i = 0; i < patch->import_count; i++) {
		fuzz_touch_string(vg_patch_string(patch, patch->imports[i].name));
		fuzz_touch_string(vg_patch_string(patch, patch->imports[i].soname));
		fuzz_touch_string(vg_patch_string(patch, patch->imports[i].version));
	}
	for (size_t i = 0; i < patch->part_count; i++)
		PROMISE(patch->parts[i].function < patch->function_count);
	for (size_t i = 0; i < patch->variable_count; i++)
		PROMISE((uint64_t)patch->variables[i].offset + patch->variables[i].bytes <=
			patch->segments[patch->variables[i].segment].memory_bytes);
	for (size_t i = 0; i < patch->unwind_count; i++)
		fuzz_touch(patch->contents +
				   patch->segments[patch->unwinds[i].segment].content_offset +
				   patch->unwinds[i].offset,
			   patch->unwinds[i].bytes);
	for (size_t i = 0; i < patch->hook_count; i++)
		PROMISE(patch->segments[patch->hooks[i].segment].kind == VGP_TEXT);
	PROMISE(patch->shadow_count <= 1);
	if (patch->shadow_count)
		read_shadows(patch, patch->shadows);
}

static void read_patch(const uint8_t *data, size_t size)
{
	struct vg_patch *patch = NULL;
	struct vg_error *error = vg_patch_parse(data, size, "input", &patch);

	PROMISE(!error == !!patch);
	if (patch) {
		for (size_t i = 0; i < patch->module_count && i < 64; i++)
			check_layout(patch, (unsigned)i);
		relocate(patch);
		read_functions(patch);
		read_others(patch);
	}
	vg_error_free(error);
	vg_patch_free(patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *sealed = malloc(size + 1);

	PROMISE(sealed);
	memcpy(sealed, data, size);
	fuzz_reseal(sealed, size);
	read_patch(data, size);
	read_patch(sealed, size);
	free(sealed);
	return 0;
}
