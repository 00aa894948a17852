/* SPDX-License-Identifier: MIT */
/*
 * Unwind information for displaced instructions: what the old function's record says of its entry,
 * moved to where these instructions stand now. Instructions may have grown on the way (short
 * branches), so each advance of the location is translated; what lies behind the entry is left off.
 */
#include <libdwarf/dwarf.h>
#include <string.h>

#include "common/error.h"
#include "differ/dwarf_reader.h"
#include "differ/earlier.h"
#include "differ/unwind_copy.h"

/* Steps over the operands of an instruction that does not move the location (DWARF 5, 6.4.2). */
static void skip_operands(struct vg_dwarf_reader *program, uint8_t opcode)
{
	switch (opcode) {
	case DW_CFA_nop:
	case DW_CFA_remember_state:
	case DW_CFA_restore_state:
		break;
	case DW_CFA_offset_extended:
	case DW_CFA_register:
	case DW_CFA_def_cfa:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		vg_dwarf_read_leb(program);
		vg_dwarf_read_leb(program);
		break;
	case DW_CFA_restore_extended:
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_GNU_args_size:
		vg_dwarf_read_leb(program);
		break;
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		vg_dwarf_read_leb(program);
		vg_dwarf_skip(program, vg_dwarf_read_leb(program));
		break;
	case DW_CFA_def_cfa_expression:
		vg_dwarf_skip(program, vg_dwarf_read_leb(program));
		break;
	default:
		program->failed = true;
	}
}

/* The distance of an advance, or -1: another instruction, whose operands are stepped over. */
static int64_t take_instruction(struct vg_dwarf_reader *program)
{
	uint8_t opcode = (uint8_t)vg_dwarf_read(program, 1);

	switch (opcode & 0xc0) {
	case DW_CFA_advance_loc:
		return opcode & 0x3f;
	case DW_CFA_offset:
		vg_dwarf_read_leb(program);
		return -1;
	case DW_CFA_restore:
		return -1;
	default:
		break;
	}
	if (opcode == DW_CFA_advance_loc1)
		return (int64_t)vg_dwarf_read(program, 1);
	if (opcode == DW_CFA_advance_loc2)
		return (int64_t)vg_dwarf_read(program, 2);
	if (opcode == DW_CFA_advance_loc4)
		return (int64_t)vg_dwarf_read(program, 4);
	skip_operands(program, opcode);
	return -1;
}

/* Where the instruction that stood at an offset of the entry stands now; -1: none stood there. */
static int moved_to(const struct vg_change *change, uint64_t offset)
{
	for (unsigned i = 0; i < change->move_count; i++)
		if (change->moves[i].from == offset)
			return change->moves[i].to;
	return -1;
}

static struct vg_error *put_advance(struct vg_unwind_copy *table, unsigned distance)
{
	uint8_t bytes[2] = {DW_CFA_advance_loc1, (uint8_t)distance};

	return vg_unwind_put(table, bytes, 2);
}

static struct vg_error *translate(struct vg_unwind_copy *table, const struct vg_change *change,
				  struct vg_dwarf_reader *program, uint64_t code_align)
{
	uint64_t old = 0;
	int new = 0;

	while (program->at < program->end && !program->failed) {
		uint64_t start = program->at;
		int64_t distance = take_instruction(program);
		int to;

		if (program->failed)
			break;
		if (distance < 0) {
			VG_TRY(vg_unwind_put(table, program->data + start, program->at - start));
			continue;
		}
		old += (uint64_t)distance * code_align;
		if (old > change->entry_bytes)
			return NULL;
		to = moved_to(change, old);
		if (to < new)
			return NULL; /* a row inside an instruction: no compiler makes that */
		VG_TRY(put_advance(table, (unsigned)(to - new)));
		new = to;
	}
	return NULL;
}

static struct vg_error *put_record(struct vg_unwind_copy *table, const struct vg_change *change,
				   const uint8_t *data, const struct vg_unwind_cie *cie,
				   const struct vg_unwind_fde *fde, uint32_t cie_offset)
{
	uint32_t start = (uint32_t)table->bytes.count;
	uint32_t head[4] = {0, start + 4 - cie_offset, 0, (uint32_t)change->displaced->size};
	struct vg_dwarf_reader program = {
		.data = data, .at = fde->instructions, .end = fde->offset + fde->bytes};
	struct vg_fix fix = {.offset = start + 8,
			     .type = VGP_PC32,
			     .kind = VG_SPOT_PIECE,
			     .piece = change->displaced};
	uint32_t length;

	VG_TRY(vg_unwind_put(table, head, sizeof(head)));
	if (cie->has_augmentation)
		VG_TRY(vg_unwind_put(table, "\0", 1));
	VG_TRY(translate(table, change, &program, cie->code_align));
	while ((table->bytes.count - start) % 8)
		VG_TRY(vg_unwind_put(table, "\0", 1));
	length = (uint32_t)table->bytes.count - start - 4;
	memcpy(table->bytes.at + start, &length, 4);
	return vg_list_push(table->build->arena, &table->fixes, fix) ? NULL : vg_error_no_memory();
}

static bool covers(const struct vg_object_section *section, const struct vg_unwind_fde *fde,
		   const struct vg_item *function)
{
	struct vg_item *item;
	int64_t offset;

	return vg_unwind_field(section, fde->pc_begin_offset, &item, &offset) && item == function &&
	       !offset;
}

/* The same CIE without exception tables: its displaced instructions call nothing. */
static struct vg_error *plain_cie(struct vg_unwind_copy *table, const uint8_t *data,
				  struct vg_unwind_cie *cie, const uint8_t **plain)
{
	uint64_t numbers = cie->numbers_end - cie->numbers;
	uint64_t rules = cie->offset + cie->bytes - cie->instructions;
	uint64_t size = (4 + 4 + 1 + 3 + numbers + 2 + rules + 7) / 8 * 8;
	uint8_t *bytes = vg_arena_alloc(table->build->arena, size, 1), *at = bytes;
	uint32_t length = (uint32_t)size - 4;

	if (!bytes)
		return vg_error_no_memory();
	at = mempcpy(at, &length, 4);
	at = mempcpy(at, "\0\0\0\0", 4);
	at = mempcpy(at, data + cie->offset + 8, 1); /* version */
	at = mempcpy(at, "zR", 3);
	at = mempcpy(at, data + cie->numbers, numbers);
	*at++ = 1;
	*at++ = cie->encoding;
	memcpy(at, data + cie->instructions, rules); /* DW_CFA_nop behind it */
	*plain = bytes;
	*cie = (struct vg_unwind_cie){.bytes = size,
				      .encoding = cie->encoding,
				      .has_augmentation = true,
				      .code_align = cie->code_align};
	return NULL;
}

/* A call that stands in the entry may throw, and what then is to be cleaned up is not known. */
static struct vg_error *refuse_call(struct vg_unwind_copy *table, const struct vg_change *change)
{
	const uint8_t *bytes =
		vg_target_bytes(table->build->target, change->match->address, change->entry_bytes);
	struct vg_instruction instruction;

	for (unsigned at = 0; bytes && at < change->entry_bytes; at += instruction.size) {
		if (!vg_decode(table->build->decoder, bytes + at, change->entry_bytes - at, at,
			       &instruction))
			return NULL;
		if (instruction.flow == VG_FLOW_CALL || instruction.flow == VG_FLOW_CALL_INDIRECT)
			return vg_refuse(table->build, VG_RULE_SHORT_ENTRY, change->post->source,
					 vg_place_of(table->build, change->pair, change->post),
					 "%s begins with a call and has exception tables, so that "
					 "its entry cannot be moved; change its callers instead",
					 change->post->source);
	}
	return NULL;
}

static struct vg_error *find_record(struct vg_unwind_copy *table, const struct vg_change *change,
				    const struct vg_object_section *section)
{
	uint64_t next = 0, after;
	struct vg_unwind_cie cie;
	struct vg_unwind_fde fde, unused;
	const uint8_t *data = section->data;
	bool is_cie;
	uint32_t offset;

	for (uint64_t at = 0; section->data && at < section->size; at = next) {
		if (!vg_unwind_next(section->data, section->size, at, &next, &is_cie, &cie, &fde))
			return NULL;
		if (is_cie || !covers(section, &fde, change->match->item))
			continue;
		if (!vg_unwind_next(section->data, section->size, fde.cie, &after, &is_cie, &cie,
				    &unused) ||
		    !vg_unwind_is_supported(&cie))
			return NULL;
		if (cie.has_lsda || cie.has_personality) {
			VG_TRY(refuse_call(table, change));
			VG_TRY(plain_cie(table, section->data, &cie, &data));
		}
		VG_TRY(vg_unwind_put_cie(table, data, &cie, NULL, &offset));
		return put_record(table, change, section->data, &cie, &fde, offset);
	}
	return NULL;
}

/* An old function without a record (assembler) leaves its displaced instructions without one. */
struct vg_error *vg_unwind_put_displaced(struct vg_unwind_copy *table,
					 const struct vg_change *change)
{
	const struct vg_object *pre = change->pre->object;

	/* The pre object's record is not that of the target's code, which an earlier patch replaced
	 * and keeps out of use. */
	if (vg_earlier_is_taken(change->pre))
		return NULL;
	pre = change->match->item->object;
	for (size_t i = 1; i < pre->section_count; i++)
		if (!strcmp(pre->sections[i].name, ".eh_frame"))
			VG_TRY(find_record(table, change, &pre->sections[i]));
	return NULL;
}
