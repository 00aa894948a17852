/* SPDX-License-Identifier: MIT */
#include "patcher/relocate.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static struct vg_error *base_value(const struct vgp_reloc *reloc, const struct vg_bases *bases,
				   uint64_t *value)
{
	switch (reloc->base) {
	case VGP_BASE_NONE:
		*value = 0;
		return NULL;
	case VGP_BASE_MODULE:
		*value = bases->modules[reloc->index];
		return NULL;
	case VGP_BASE_SEGMENT:
		*value = bases->segments[reloc->index];
		return NULL;
	case VGP_BASE_IMPORT:
		*value = bases->imports[reloc->index];
		return NULL;
	default:
		return vg_error_new(VG_REFUSED, "unknown relocation base %u", reloc->base);
	}
}

static bool is_pc_relative(const struct vgp_reloc *reloc)
{
	return reloc->type == VGP_PC32 || reloc->type == VGP_PC64;
}

static bool fits(const struct vgp_reloc *reloc, uint64_t value)
{
	if (vg_patch_reloc_bytes(reloc->type) == 8)
		return true;
	if (reloc->type == VGP_ABS32)
		return value <= UINT32_MAX;
	return (int64_t)value == (int32_t)value;
}

static struct vg_error *apply_one(const struct vg_patch *patch, const struct vgp_reloc *reloc,
				  const struct vg_bases *bases, uint8_t *bytes)
{
	const struct vgp_segment *segment = &patch->segments[reloc->segment];
	const char *name = vg_patch_string(patch, reloc->name);
	size_t width = vg_patch_reloc_bytes(reloc->type);
	uint64_t value = 0;

	if (!width)
		return vg_error_new(VG_REFUSED, "unknown relocation type %u", reloc->type);
	if (reloc->offset > segment->memory_bytes || segment->memory_bytes - reloc->offset < width)
		return vg_error_new(VG_REFUSED, "a relocation lies outside its segment");
	VG_TRY(base_value(reloc, bases, &value));
	value += (uint64_t)reloc->addend;
	if (is_pc_relative(reloc))
		value -= bases->segments[reloc->segment] + reloc->offset;
	if (!fits(reloc, value))
		return vg_error_new(VG_REFUSED,
				    "the reference to %s from patch %s does not reach: 0x%" PRIx64
				    " does not fit 32 bits; build the patch again with this vgraft",
				    *name ? name : "a symbol", vg_patch_name(patch), value);
	memcpy(bytes + reloc->offset, &value, width);
	return NULL;
}

struct vg_error *vg_relocate_segment(const struct vg_patch *patch, unsigned segment,
				     const struct vg_bases *bases, uint8_t *bytes)
{
	for (size_t i = 0; i < patch->reloc_count; i++)
		if (patch->relocs[i].segment == segment)
			VG_TRY(apply_one(patch, &patch->relocs[i], bases, bytes));
	return NULL;
}
