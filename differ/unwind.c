/* SPDX-License-Identifier: MIT */
/*
 * .eh_frame for the patch: the records of the post objects that cover included code, with new
 * places. Equal CIEs are written once. A record's pointer to its code counts from itself
 * (DW_EH_PE_pcrel | DW_EH_PE_sdata4); both lie in TEXT, so it is known when the image is laid out.
 * So do the pointers to exception tables (.gcc_except_table), which come along, and to a slot with
 * the address of the routine that reads them.
 */
#include <libdwarf/dwarf.h>
#include <string.h>

#include "common/error.h"
#include "differ/unwind_copy.h"

#ifndef DW_EH_PE_indirect
#define DW_EH_PE_indirect 0x80 /* LSB 5.0, 10.5.1; libdwarf has only the others */
#endif

struct vg_error *vg_unwind_put(struct vg_unwind_copy *table, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++)
		if (!vg_list_push(table->build->arena, &table->bytes, at[i]))
			return vg_error_no_memory();
	return NULL;
}

bool vg_unwind_field(const struct vg_object_section *section, uint64_t field, struct vg_item **item,
		     int64_t *offset)
{
	for (size_t i = 0; i < section->reloc_count; i++)
		if (section->relocs[i].offset == field)
			return vg_reloc_target(&section->relocs[i], 0, item, offset);
	return false;
}

static struct vg_error *add_fix(struct vg_unwind_copy *table, uint32_t field,
				struct vg_piece *piece, int64_t addend)
{
	struct vg_fix fix = {.offset = field,
			     .type = VGP_PC32,
			     .kind = VG_SPOT_PIECE,
			     .piece = piece,
			     .addend = addend};

	memset(table->bytes.at + field, 0, 4);
	return vg_list_push(table->build->arena, &table->fixes, fix) ? NULL : vg_error_no_memory();
}

/* Programs at a fixed address have absolute pointers here; the patch area lies anywhere. */
static struct vg_error *make_pointers_relative(struct vg_unwind_copy *table,
					       const struct vg_unwind_cie *cie, uint32_t start,
					       struct vg_piece *personality)
{
	uint8_t *bytes = table->bytes.at + start;

	if (cie->has_lsda)
		bytes[cie->lsda_encoding_offset - cie->offset] = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	if (!personality)
		return NULL;
	bytes[cie->personality_encoding_offset - cie->offset] =
		DW_EH_PE_indirect | DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	return add_fix(table, start + (uint32_t)(cie->personality_offset - cie->offset),
		       personality, 0);
}

struct vg_error *vg_unwind_put_cie(struct vg_unwind_copy *table, const uint8_t *data,
				   const struct vg_unwind_cie *cie, struct vg_piece *personality,
				   uint32_t *offset)
{
	struct vg_unwind_cie_copy copy = {
		.bytes = data + cie->offset, .size = cie->bytes, .personality = personality};

	for (size_t i = 0; i < table->cies.count; i++) {
		*offset = table->cies.at[i].offset;
		if (table->cies.at[i].size == copy.size &&
		    table->cies.at[i].personality == copy.personality &&
		    !memcmp(table->cies.at[i].bytes, copy.bytes, copy.size))
			return NULL;
	}
	*offset = copy.offset = (uint32_t)table->bytes.count;
	if (!vg_list_push(table->build->arena, &table->cies, copy))
		return vg_error_no_memory();
	VG_TRY(vg_unwind_put(table, copy.bytes, copy.size));
	return make_pointers_relative(table, cie, copy.offset, personality);
}

/* The unwinder of a program that is linked statically has no way to learn of a patch. */
static struct vg_error *check_unwinder(const struct vg_unwind_copy *table,
				       const struct vg_piece *piece)
{
	const struct vg_target *target = table->build->target;

	if (!target->is_executable || target->needed.count)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "%s: %s has exception tables, but %s is linked statically, so that "
			    "its unwinder cannot learn of the new code; compile without "
			    "-fexceptions",
			    piece->item->object->file, piece->name, target->elf->path);
}

static struct vg_error *put_fde(struct vg_unwind_copy *table,
				const struct vg_object_section *section,
				const struct vg_unwind_fde *fde, uint32_t cie,
				struct vg_piece *piece)
{
	uint32_t start = (uint32_t)table->bytes.count, id = start + 4 - cie;
	struct vg_item *item;
	struct vg_piece *lsda;
	int64_t offset;

	VG_TRY(vg_unwind_put(table, section->data + fde->offset, fde->bytes));
	memcpy(table->bytes.at + start + 4, &id, 4);
	VG_TRY(add_fix(table, start + (uint32_t)(fde->pc_begin_offset - fde->offset), piece, 0));
	if (!fde->lsda_offset || !vg_unwind_field(section, fde->lsda_offset, &item, &offset))
		return NULL;
	VG_TRY(check_unwinder(table, piece));
	VG_TRY(vg_piece_of(table->build, piece->pair, item, offset, &lsda));
	return add_fix(table, start + (uint32_t)(fde->lsda_offset - fde->offset), lsda,
		       offset - lsda->from);
}

bool vg_unwind_is_supported(const struct vg_unwind_cie *cie)
{
	return cie->encoding == (DW_EH_PE_pcrel | DW_EH_PE_sdata4) &&
	       (!cie->has_lsda || vg_unwind_pointer_bytes(cie->lsda_encoding) == 4) &&
	       (!cie->has_personality || vg_unwind_pointer_bytes(cie->personality_encoding) == 4);
}

/* The piece that a record covers, if its code is in the patch. */
static struct vg_piece *covered_piece(const struct vg_object_section *section,
				      const struct vg_unwind_fde *fde)
{
	struct vg_item *item;
	int64_t offset;

	if (!vg_unwind_field(section, fde->pc_begin_offset, &item, &offset) || offset)
		return NULL;
	return vg_item_is_function(item) ? item->piece : NULL;
}

/* DW.ref.NAME, a word that holds the address of NAME, is what shared code refers to. */
static bool find_personality(const struct vg_object_section *section,
			     const struct vg_unwind_cie *cie, struct vg_item **item)
{
	struct vg_object_reloc *relocs;
	size_t count;
	int64_t offset;

	if (!vg_unwind_field(section, cie->personality_offset, item, &offset) || offset)
		return false;
	if (!(cie->personality_encoding & DW_EH_PE_indirect))
		return true;
	relocs = vg_item_relocs(*item, &count);
	return count == 1 && vg_reloc_target(relocs, 0, item, &offset) && !offset;
}

static struct vg_error *unsupported(const struct vg_piece *piece)
{
	return vg_error_new(VG_REFUSED,
			    "%s: %s has exception tables or unwind information of a kind that "
			    "cannot be carried into a patch; compile without -fexceptions",
			    piece->item->object->file, piece->name);
}

/* A slot of the patch with the address of the routine that reads the exception tables. */
static struct vg_error *personality_slot(struct vg_unwind_copy *table,
					 const struct vg_object_section *section,
					 const struct vg_unwind_cie *cie,
					 const struct vg_piece *piece, struct vg_piece **slot)
{
	struct vg_item *item;
	struct vg_reach *reach;

	*slot = NULL;
	if (!cie->has_personality)
		return NULL;
	if (!find_personality(section, cie, &item))
		return unsupported(piece);
	VG_TRY(vg_reach(table->build, piece->pair, item, &reach));
	return vg_slot_for(table->build, item, reach, slot);
}

static struct vg_error *copy_fde(struct vg_unwind_copy *table,
				 const struct vg_object_section *section,
				 const struct vg_unwind_fde *fde)
{
	struct vg_piece *piece = covered_piece(section, fde), *personality;
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
		return unsupported(piece);
	VG_TRY(personality_slot(table, section, &cie, piece, &personality));
	VG_TRY(vg_unwind_put_cie(table, section->data, &cie, personality, &offset));
	return put_fde(table, section, fde, offset, piece);
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
			VG_TRY(copy_fde(table, section, &fde));
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
	VG_TRY(vg_pieces_complete(build)); /* the exception tables */
	VG_TRY(vg_unwind_put(&table, "\0\0\0\0", 4));
	VG_TRY(vg_piece_new(build, VG_PIECE_UNWIND, table.bytes.count, 8, &piece));
	memcpy(piece->bytes, table.bytes.at, table.bytes.count);
	for (size_t i = 0; i < table.fixes.count; i++)
		VG_TRY(vg_piece_add_fix(build, piece, table.fixes.at[i]));
	return NULL;
}
