/* SPDX-License-Identifier: MIT */
/*
 * .eh_frame for the patch: the records of the post objects that cover included code, with new
 * places. Equal CIEs are written once. A record's pointer to its code counts from itself
 * (DW_EH_PE_pcrel | DW_EH_PE_sdata4); both lie in TEXT, so it is known when the image is laid out.
 */
#include <libdwarf/dwarf.h>
#include <string.h>

#include "common/error.h"
#include "differ/unwind_copy.h"

struct vg_error *vg_unwind_put(struct vg_unwind_copy *table, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++)
		if (!vg_list_push(table->build->arena, &table->bytes, at[i]))
			return vg_error_no_memory();
	return NULL;
}

struct vg_error *vg_unwind_put_cie(struct vg_unwind_copy *table, const uint8_t *data,
				   const struct vg_unwind_cie *cie, uint32_t *offset)
{
	struct vg_unwind_cie_copy copy = {.bytes = data + cie->offset, .size = cie->bytes};

	for (size_t i = 0; i < table->cies.count; i++) {
		*offset = table->cies.at[i].offset;
		if (table->cies.at[i].size == copy.size &&
		    !memcmp(table->cies.at[i].bytes, copy.bytes, copy.size))
			return NULL;
	}
	*offset = copy.offset = (uint32_t)table->bytes.count;
	if (!vg_list_push(table->build->arena, &table->cies, copy))
		return vg_error_no_memory();
	return vg_unwind_put(table, copy.bytes, copy.size);
}

static struct vg_error *put_fde(struct vg_unwind_copy *table, const uint8_t *data,
				const struct vg_unwind_fde *fde, uint32_t cie,
				struct vg_piece *piece)
{
	uint32_t start = (uint32_t)table->bytes.count, id = start + 4 - cie;
	uint32_t field = start + (uint32_t)(fde->pc_begin_offset - fde->offset);
	struct vg_fix fix = {
		.offset = field, .type = VGP_PC32, .kind = VG_SPOT_PIECE, .piece = piece};

	VG_TRY(vg_unwind_put(table, data + fde->offset, fde->bytes));
	memcpy(table->bytes.at + start + 4, &id, 4);
	memset(table->bytes.at + field, 0, 4);
	return vg_list_push(table->build->arena, &table->fixes, fix) ? NULL : vg_error_no_memory();
}

bool vg_unwind_is_supported(const struct vg_unwind_cie *cie)
{
	return cie->encoding == (DW_EH_PE_pcrel | DW_EH_PE_sdata4) && !cie->has_lsda &&
	       !cie->has_personality;
}

/* The piece that a record covers, if its code is in the patch. */
static struct vg_piece *covered_piece(const struct vg_object_section *section,
				      const struct vg_unwind_fde *fde)
{
	for (size_t i = 0; i < section->reloc_count; i++) {
		struct vg_item *item;
		int64_t offset;

		if (section->relocs[i].offset != fde->pc_begin_offset)
			continue;
		if (!vg_reloc_target(&section->relocs[i], 0, &item, &offset) || offset)
			return NULL;
		return vg_item_is_function(item) ? item->piece : NULL;
	}
	return NULL;
}

static struct vg_error *copy_fde(struct vg_unwind_copy *table, struct vg_object *object,
				 const struct vg_object_section *section,
				 const struct vg_unwind_fde *fde)
{
	struct vg_piece *piece = covered_piece(section, fde);
	struct vg_unwind_cie cie;
	struct vg_unwind_fde unused;
	uint64_t next;
	uint32_t offset;
	bool is_cie;

	if (!piece)
		return NULL;
	if (!vg_unwind_next(section->data, section->size, fde->cie, &next, &is_cie, &cie,
			    &unused) ||
	    !vg_unwind_is_supported(&cie))
		return vg_error_new(VG_REFUSED,
				    "%s: %s has exception tables or unwind information of a kind "
				    "that cannot be carried into a patch; compile without "
				    "-fexceptions",
				    object->file, piece->name);
	VG_TRY(vg_unwind_put_cie(table, section->data, &cie, &offset));
	return put_fde(table, section->data, fde, offset, piece);
}

static struct vg_error *copy_section(struct vg_unwind_copy *table, struct vg_object *object,
				     const struct vg_object_section *section)
{
	uint64_t next = 0;

	for (uint64_t at = 0; section->data && at < section->size; at = next) {
		struct vg_unwind_cie cie;
		struct vg_unwind_fde fde;
		bool is_cie;

		if (!vg_unwind_next(section->data, section->size, at, &next, &is_cie, &cie, &fde))
			return vg_error_new(VG_REFUSED,
					    "%s: its .eh_frame cannot be read at offset 0x%llx",
					    object->path, (unsigned long long)at);
		if (!is_cie)
			VG_TRY(copy_fde(table, object, section, &fde));
	}
	return NULL;
}

static struct vg_error *copy_object(struct vg_unwind_copy *table, struct vg_object *object)
{
	for (size_t i = 1; i < object->section_count; i++)
		if (!strcmp(object->sections[i].name, ".eh_frame"))
			VG_TRY(copy_section(table, object, &object->sections[i]));
	return NULL;
}

struct vg_error *vg_unwind_build(struct vg_patch_build *build)
{
	struct vg_unwind_copy table = {.build = build};
	struct vg_piece *piece;

	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(copy_object(&table, build->pairs[i].post));
	for (size_t i = 0; i < build->changes.count; i++)
		VG_TRY(vg_unwind_put_displaced(&table, build->changes.at[i]));
	if (!table.bytes.count)
		return NULL;
	VG_TRY(vg_unwind_put(&table, "\0\0\0\0", 4));
	VG_TRY(vg_piece_new(build, VG_PIECE_UNWIND, table.bytes.count, 8, &piece));
	memcpy(piece->bytes, table.bytes.at, table.bytes.count);
	for (size_t i = 0; i < table.fixes.count; i++)
		VG_TRY(vg_piece_add_fix(build, piece, table.fixes.at[i]));
	return NULL;
}
