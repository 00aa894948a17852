/* SPDX-License-Identifier: MIT */
/*
 * Reading a patch object. A file is untrusted until it has passed, in this order:
 *
 *   1. frame: magic, version, sizes              is it a patch object at all, and whole?
 *   2. checksum: SHA-256 over all bytes          is it what the writer wrote?
 *   3. sections: types, bounds, alignment
 *   4. records: every index, offset and string   a valid checksum does not make a file honest
 *
 * Behind vg_patch_parse() nothing checks again.
 */
#include "common/patch_object.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_record.h"
#include "common/text_file.h"

static struct vg_error *damaged(const char *origin, const char *what)
{
	return vg_error_new(VG_REFUSED, "%s is damaged: %s; build or copy it again", origin, what);
}

static struct vg_error *check_frame(const uint8_t *bytes, size_t count, const char *origin)
{
	const struct vgp_header *header = (const void *)bytes;

	if (count < sizeof(header->magic) || memcmp(bytes, VGP_MAGIC, sizeof(header->magic)) != 0)
		return vg_error_new(VG_REFUSED, "%s is not a patch object", origin);
	if (count < sizeof(*header))
		return damaged(origin, "it ends inside its header");
	if (header->version != VGP_VERSION)
		return vg_error_new(VG_REFUSED,
				    "%s has format version %u, this tool reads version %u; use the "
				    "tool that built it",
				    origin, header->version, VGP_VERSION);
	if (header->header_bytes != sizeof(*header) || header->file_bytes != count)
		return damaged(origin, "its size is not the size that its header tells");
	return NULL;
}

static struct vg_error *check_checksum(const uint8_t *bytes, size_t count, const char *origin)
{
	const struct vgp_header *header = (const void *)bytes;
	uint8_t checksum[sizeof(header->checksum)];

	vg_patch_checksum(bytes, count, checksum);
	if (memcmp(checksum, header->checksum, sizeof(checksum)) != 0)
		return damaged(origin, "its checksum does not match");
	return NULL;
}

static struct vg_error *check_header(const struct vgp_header *header, const char *origin)
{
	if (header->machine != EM_X86_64)
		return vg_error_new(VG_REFUSED, "%s is for ELF machine %u, not for x86-64", origin,
				    header->machine);
	if (header->flags & ~(VGP_REPLACE | VGP_LOW_2G | VGP_DROPS_SHADOWS) || header->reserved)
		return damaged(origin, "its header has unknown flags");
	if (header->section_count > VGP_SECTION_TYPES)
		return damaged(origin, "it has too many sections");
	return NULL;
}

static void take_section(struct vg_patch *patch, const struct vgp_section *section)
{
	const void *start = patch->bytes + section->offset;
	size_t count = section->bytes / vg_patch_record_bytes(section->type);

	switch ((enum vgp_section_type)section->type) {
	case VGP_STRINGS:
		patch->strings = start;
		patch->strings_bytes = count;
		break;
	case VGP_INFO:
		patch->info = count == 1 ? start : NULL;
		break;
#define TAKE(TYPE, array, counter)                                                                 \
	case TYPE:                                                                                 \
		patch->array = start;                                                              \
		patch->counter = count;                                                            \
		break
		TAKE(VGP_DEPENDS, depends, depend_count);
		TAKE(VGP_MODULES, modules, module_count);
		TAKE(VGP_SEGMENTS, segments, segment_count);
		TAKE(VGP_CONTENTS, contents, contents_bytes);
		TAKE(VGP_FUNCTIONS, functions, function_count);
		TAKE(VGP_PARTS, parts, part_count);
		TAKE(VGP_IMPORTS, imports, import_count);
		TAKE(VGP_RELOCS, relocs, reloc_count);
		TAKE(VGP_VARIABLES, variables, variable_count);
		TAKE(VGP_UNWIND, unwinds, unwind_count);
		TAKE(VGP_HOOKS, hooks, hook_count);
		TAKE(VGP_SHADOWS, shadows, shadow_count);
#undef TAKE
	}
}

static struct vg_error *take_sections(struct vg_patch *patch, const char *origin)
{
	uint64_t end = sizeof(struct vgp_header) +
		       (uint64_t)patch->header->section_count * sizeof(struct vgp_section);
	const struct vgp_section *section = (const void *)(patch->bytes + sizeof(*patch->header));
	bool seen[VGP_SECTION_TYPES] = {0};

	if (end > patch->byte_count)
		return damaged(origin, "it ends inside its section table");
	for (uint32_t i = 0; i < patch->header->section_count; i++, section++) {
		size_t record = vg_patch_record_bytes(section->type);

		if (!record || seen[section->type])
			return damaged(origin, "it has a section that this tool does not know");
		if (section->offset < end || section->offset % 8 || section->reserved ||
		    section->bytes % record ||
		    (uint64_t)section->offset + section->bytes > patch->byte_count)
			return damaged(origin, "a section does not lie inside the file");
		seen[section->type] = true;
		end = (uint64_t)section->offset + section->bytes;
		take_section(patch, section);
	}
	return NULL;
}

static bool is_string(const struct vg_patch *patch, uint32_t offset)
{
	return offset < patch->strings_bytes;
}

static bool are_strings_valid(const struct vg_patch *patch)
{
	return patch->strings_bytes && patch->strings[0] == '\0' &&
	       patch->strings[patch->strings_bytes - 1] == '\0';
}

static bool is_info_valid(const struct vg_patch *patch)
{
	const struct vgp_info *info = patch->info;

	if (!info || !is_string(patch, info->name) || !is_string(patch, info->cve) ||
	    !is_string(patch, info->producer))
		return false;
	for (size_t i = 0; i < patch->depend_count; i++)
		if (!is_string(patch, patch->depends[i]))
			return false;
	return vg_patch_name_is_valid(patch->strings + info->name);
}

static bool is_module_valid(const struct vg_patch *patch, const struct vgp_module *module)
{
	return is_string(patch, module->name) &&
	       !(module->flags & ~(VGP_MODULE_EXECUTABLE | VGP_MODULE_FIXED)) &&
	       module->build_id_bytes >= 1 && module->build_id_bytes <= VGP_MAX_BUILD_ID;
}

static bool is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

static bool is_segment_valid(const struct vg_patch *patch, const struct vgp_segment *segment)
{
	return segment->module < patch->module_count &&
	       (segment->kind == VGP_TEXT || segment->kind == VGP_DATA) &&
	       is_power_of_two(segment->align) && segment->align <= 4096 &&
	       segment->memory_bytes <= VGP_MAX_BYTES &&
	       segment->content_bytes <= segment->memory_bytes &&
	       (uint64_t)segment->content_offset + segment->content_bytes <=
		       patch->contents_bytes &&
	       vg_patch_segment(patch, segment->module, segment->kind) == segment;
}

/* Does [offset, offset + bytes) lie in the memory of a segment? */
static bool is_inside(const struct vgp_segment *segment, uint64_t offset, uint64_t bytes)
{
	return segment && offset + bytes <= segment->memory_bytes;
}

static bool is_changed_function_valid(const struct vgp_function *function,
				      const struct vgp_segment *text)
{
	return function->entry_bytes >= VGP_JUMP_BYTES && function->entry_bytes <= VGP_MAX_ENTRY &&
	       function->old_address && function->old_bytes &&
	       function->old_address + function->old_bytes > function->old_address &&
	       is_inside(text, function->displaced_offset, function->entry_bytes);
}

static bool is_function_valid(const struct vg_patch *patch, const struct vgp_function *function)
{
	const struct vgp_segment *text;

	if (!is_string(patch, function->name) || !is_string(patch, function->file) ||
	    !is_string(patch, function->symbol) || function->module >= patch->module_count)
		return false;
	text = vg_patch_segment(patch, function->module, VGP_TEXT);
	if (!is_inside(text, function->new_offset, function->new_bytes) || !function->new_bytes)
		return false;
	return function->kind == VGP_NEW ||
	       (function->kind == VGP_CHANGED && is_changed_function_valid(function, text));
}

static bool is_part_valid(const struct vg_patch *patch, const struct vgp_part *part)
{
	if (part->function >= patch->function_count || !is_string(patch, part->name))
		return false;
	return is_inside(vg_patch_segment(patch, patch->functions[part->function].module, VGP_TEXT),
			 part->new_offset, part->new_bytes);
}

static bool is_import_valid(const struct vg_patch *patch, const struct vgp_import *import)
{
	if (!is_string(patch, import->name) || !is_string(patch, import->soname) ||
	    !is_string(patch, import->version) || import->module >= patch->module_count)
		return false;
	if (import->flags & VGP_IMPORT_PATCH)
		return !import->slot && !(import->flags & VGP_IMPORT_WEAK) &&
		       vg_patch_depends_on(patch, vg_patch_string(patch, import->soname));
	return !(import->flags & ~(VGP_IMPORT_FUNCTION | VGP_IMPORT_WEAK));
}

unsigned vg_patch_reloc_bytes(uint8_t type)
{
	switch (type) {
	case VGP_ABS64:
	case VGP_PC64:
	case VGP_TPOFF64:
		return 8;
	case VGP_ABS32:
	case VGP_ABS32S:
	case VGP_PC32:
	case VGP_TPOFF32:
		return 4;
	default:
		return 0;
	}
}

static bool is_reloc_base_valid(const struct vg_patch *patch, const struct vgp_reloc *reloc)
{
	bool is_tls = reloc->type == VGP_TPOFF32 || reloc->type == VGP_TPOFF64;

	switch ((enum vgp_reloc_base)reloc->base) {
	case VGP_BASE_NONE:
		return is_tls;
	case VGP_BASE_MODULE:
		return !is_tls && reloc->index < patch->module_count;
	case VGP_BASE_SEGMENT:
		return !is_tls && reloc->index < patch->segment_count;
	case VGP_BASE_IMPORT:
		return !is_tls && reloc->index < patch->import_count;
	}
	return false;
}

static bool is_reloc_valid(const struct vg_patch *patch, const struct vgp_reloc *reloc)
{
	unsigned width = vg_patch_reloc_bytes(reloc->type);

	return width && is_string(patch, reloc->name) && reloc->segment < patch->segment_count &&
	       (uint64_t)reloc->offset + width <= patch->segments[reloc->segment].content_bytes &&
	       is_reloc_base_valid(patch, reloc);
}

static bool is_variable_valid(const struct vg_patch *patch, const struct vgp_variable *variable)
{
	return is_string(patch, variable->name) && is_string(patch, variable->file) &&
	       variable->segment < patch->segment_count &&
	       is_inside(&patch->segments[variable->segment], variable->offset, variable->bytes);
}

static bool is_text_index(const struct vg_patch *patch, uint32_t segment)
{
	return segment < patch->segment_count && patch->segments[segment].kind == VGP_TEXT;
}

static bool is_unwind_valid(const struct vg_patch *patch, const struct vgp_unwind *unwind)
{
	return is_text_index(patch, unwind->segment) &&
	       (uint64_t)unwind->offset + unwind->bytes <=
		       patch->segments[unwind->segment].content_bytes;
}

static bool is_hook_valid(const struct vg_patch *patch, const struct vgp_hook *hook)
{
	return hook->when >= VGP_PRE_APPLY && hook->when <= VGP_POST_REVERT &&
	       is_text_index(patch, hook->segment) && is_string(patch, hook->name) && hook->bytes &&
	       is_inside(&patch->segments[hook->segment], hook->offset, hook->bytes);
}

/* With these limits nothing overflows 64 bits. */
static bool is_shadow_table_valid(const struct vg_patch *patch,
				  const struct vgp_shadow_table *table)
{
	return table->layout == VGP_SHADOW_LAYOUT && table->segment < patch->segment_count &&
	       patch->segments[table->segment].kind == VGP_DATA && table->offset % 16 == 0 &&
	       table->count && table->bytes && table->bytes % 16 == 0 && !table->reserved &&
	       table->count <= VGP_MAX_BYTES && table->bytes <= VGP_MAX_BYTES &&
	       is_inside(&patch->segments[table->segment], table->offset,
			 vgp_shadow_values(table->count) + (uint64_t)table->count * table->bytes);
}

static struct vg_error *check_records(const struct vg_patch *patch, const char *origin)
{
	if (!are_strings_valid(patch))
		return damaged(origin, "its strings do not end");
	if (!is_info_valid(patch))
		return damaged(origin, "it has no valid name");
	if (!patch->module_count || !patch->function_count)
		return damaged(origin, "it patches nothing");
#define CHECK(array, counter, predicate)                                                           \
	for (size_t i = 0; i < patch->counter; i++)                                                \
		if (!predicate(patch, &patch->array[i]))                                           \
	return damaged(origin, "a record in " #array " is out of range")
	CHECK(modules, module_count, is_module_valid);
	CHECK(segments, segment_count, is_segment_valid);
	CHECK(functions, function_count, is_function_valid);
	CHECK(parts, part_count, is_part_valid);
	CHECK(imports, import_count, is_import_valid);
	CHECK(relocs, reloc_count, is_reloc_valid);
	CHECK(variables, variable_count, is_variable_valid);
	CHECK(unwinds, unwind_count, is_unwind_valid);
	CHECK(hooks, hook_count, is_hook_valid);
	CHECK(shadows, shadow_count, is_shadow_table_valid);
#undef CHECK
	if (patch->shadow_count > 1)
		return damaged(origin, "it has more than one table of shadow variables");
	return NULL;
}

static struct vg_error *parse(struct vg_patch *patch, const char *origin)
{
	VG_TRY(check_frame(patch->bytes, patch->byte_count, origin));
	VG_TRY(check_checksum(patch->bytes, patch->byte_count, origin));
	patch->header = (const void *)patch->bytes;
	VG_TRY(check_header(patch->header, origin));
	VG_TRY(take_sections(patch, origin));
	return check_records(patch, origin);
}

struct vg_error *vg_patch_parse(const void *bytes, size_t count, const char *origin,
				struct vg_patch **patch_out)
{
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = NULL;

	if (count > VGP_MAX_BYTES)
		return vg_error_new(VG_REFUSED, "%s is larger than a patch object can be (%u MiB)",
				    origin, VGP_MAX_BYTES >> 20);
	patch = calloc(1, sizeof(*patch));
	if (!patch)
		return vg_error_no_memory();
	/* malloc() aligns for every record; an empty file still needs an address. */
	patch->bytes = malloc(count + 1);
	if (!patch->bytes)
		return vg_error_no_memory();
	memcpy(patch->bytes, bytes, count);
	patch->byte_count = count;
	VG_TRY(parse(patch, origin));
	*patch_out = vg_take(patch);
	return NULL;
}

struct vg_error *vg_patch_open(const char *path, struct vg_patch **patch)
{
	_cleanup_free_ char *bytes = NULL;
	size_t count;

	VG_TRY(vg_text_file_read(path, &bytes, &count));
	return vg_patch_parse(bytes, count, path, patch);
}

void vg_patch_free(struct vg_patch *patch)
{
	if (!patch)
		return;
	free(patch->bytes);
	free(patch);
}

const char *vg_patch_string(const struct vg_patch *patch, uint32_t offset)
{
	return patch->strings + offset;
}

bool vg_patch_depends_on(const struct vg_patch *patch, const char *name)
{
	for (size_t i = 0; i < patch->depend_count; i++)
		if (strcmp(vg_patch_string(patch, patch->depends[i]), name) == 0)
			return true;
	return false;
}

const char *vg_patch_name(const struct vg_patch *patch)
{
	return vg_patch_string(patch, patch->info->name);
}

const struct vgp_segment *vg_patch_segment(const struct vg_patch *patch, unsigned module,
					   enum vgp_segment_kind kind)
{
	for (size_t i = 0; i < patch->segment_count; i++)
		if (patch->segments[i].module == module && patch->segments[i].kind == kind)
			return &patch->segments[i];
	return NULL;
}

int vg_patch_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 63 && name[0] != '-' && name[0] != '.' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789._+-") == length;
}
