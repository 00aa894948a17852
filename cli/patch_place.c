/* SPDX-License-Identifier: MIT */
#include "cli/patch_place.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_text(const struct vg_patch *patch, size_t segment, unsigned module)
{
	return patch->segments[segment].kind == VGP_TEXT &&
	       patch->segments[segment].module == module;
}

static bool is_in(uint64_t offset, uint64_t start, uint64_t bytes)
{
	return offset >= start && offset - start < bytes;
}

static struct vg_patch_place place(const struct vg_patch *patch, uint32_t name, uint64_t offset)
{
	return (struct vg_patch_place){.name = vg_patch_string(patch, name), .offset = offset};
}

struct vg_patch_place vg_patch_place(const struct vg_patch *patch, size_t segment, uint64_t offset)
{
	for (size_t i = 0; i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];

		if (is_text(patch, segment, function->module) &&
		    is_in(offset, function->new_offset, function->new_bytes))
			return place(patch, function->symbol, offset - function->new_offset);
	}
	for (size_t i = 0; i < patch->part_count; i++) {
		const struct vgp_part *part = &patch->parts[i];

		if (is_text(patch, segment, patch->functions[part->function].module) &&
		    is_in(offset, part->new_offset, part->new_bytes))
			return place(patch, part->name, offset - part->new_offset);
	}
	for (size_t i = 0; i < patch->hook_count; i++)
		if (patch->hooks[i].segment == segment &&
		    is_in(offset, patch->hooks[i].offset, patch->hooks[i].bytes))
			return place(patch, patch->hooks[i].name, offset - patch->hooks[i].offset);
	for (size_t i = 0; i < patch->variable_count; i++)
		if (patch->variables[i].segment == segment &&
		    is_in(offset, patch->variables[i].offset, patch->variables[i].bytes))
			return place(patch, patch->variables[i].name,
				     offset - patch->variables[i].offset);
	return (struct vg_patch_place){.name = ""};
}

const struct vgp_reloc *vg_patch_reloc_in(const struct vg_patch *patch, size_t segment,
					  uint64_t start, uint64_t bytes)
{
	for (size_t i = 0; i < patch->reloc_count; i++)
		if (patch->relocs[i].segment == segment &&
		    is_in(patch->relocs[i].offset, start, bytes))
			return &patch->relocs[i];
	return NULL;
}

const char *vg_patch_reloc_name(const struct vg_patch *patch, const struct vgp_reloc *reloc)
{
	const char *name = vg_patch_string(patch, reloc->name);

	if (!*name && reloc->base == VGP_BASE_IMPORT)
		return vg_patch_string(patch, patch->imports[reloc->index].name);
	return name;
}

/* The contents from `offset` on; 0: there are none. */
static size_t contents_at(const struct vg_patch *patch, size_t segment, uint64_t offset,
			  const uint8_t **bytes)
{
	const struct vgp_segment *found = &patch->segments[segment];

	if (offset >= found->content_bytes)
		return 0;
	*bytes = patch->contents + found->content_offset + offset;
	return found->content_bytes - offset;
}

/* `jmp *slot(%rip)`, as the differ makes stubs; the slot's relocation says where it leads. */
static bool stub_text(const struct vg_patch *patch, size_t segment, uint64_t offset, char *text,
		      size_t room)
{
	const uint8_t *bytes;
	const struct vgp_reloc *reloc;
	int32_t distance;

	if (contents_at(patch, segment, offset, &bytes) < 6 || bytes[0] != 0xff || bytes[1] != 0x25)
		return false;
	memcpy(&distance, bytes + 2, sizeof(distance));
	reloc = vg_patch_reloc_in(patch, segment, offset + 6 + (uint64_t)(int64_t)distance, 8);
	if (!reloc || !*vg_patch_reloc_name(patch, reloc))
		return false;
	snprintf(text, room, "%s (stub)", vg_patch_reloc_name(patch, reloc));
	return true;
}

static bool string_text(const struct vg_patch *patch, size_t segment, uint64_t offset, char *text,
			size_t room)
{
	const uint8_t *bytes = NULL;
	size_t left = contents_at(patch, segment, offset, &bytes), length;

	length = left ? strnlen((const char *)bytes, left) : 0;
	if (!length || length == left)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isprint(bytes[i]) && bytes[i] != '\n' && bytes[i] != '\t')
			return false;
	length = strcspn((const char *)bytes, "\n\t");
	snprintf(text, room, "\"%.*s\"%s", (int)(length > 60 ? 60 : length), (const char *)bytes,
		 bytes[length] || length > 60 ? "…" : "");
	return true;
}

bool vg_patch_place_text(const struct vg_patch *patch, size_t segment, uint64_t offset, char *text,
			 size_t room)
{
	struct vg_patch_place place = vg_patch_place(patch, segment, offset);

	if (!*place.name)
		return stub_text(patch, segment, offset, text, room) ||
		       string_text(patch, segment, offset, text, room);
	if (place.offset)
		snprintf(text, room, "%s+0x%llx", place.name, (unsigned long long)place.offset);
	else
		snprintf(text, room, "%s", place.name);
	return true;
}
