/* SPDX-License-Identifier: MIT */
#include "differ/link_time.h"

#include <string.h>

#include "common/error.h"
#include "differ/die.h"

#define MAX_DEPTH   256 /* of blocks in functions */
#define MAX_ORIGINS 8	/* entries that refer to each other */

struct reader {
	struct vg_dies dies;
	struct vg_copies *copies;
};

static const char *unit_name(struct reader *reader, Dwarf_Die die)
{
	struct vg_dies *dies = &reader->dies;
	Dwarf_Off offset;
	Dwarf_Die unit = NULL;

	if (dwarf_CU_dieoffset_given_die(die, &offset, &dies->error) != DW_DLV_OK ||
	    dwarf_offdie_b(dies->debug, offset, true, &unit, &dies->error) != DW_DLV_OK) {
		dies->is_damaged = true;
		return "";
	}

	const char *name = basename(vg_die_name(dies, unit));

	vg_die_release(dies, unit);
	return name;
}

/* Name and unit of the function that the entry comes from; a declaration of it may lie between. */
static void find_origin(struct reader *reader, Dwarf_Die die, struct vg_copy *copy, unsigned depth)
{
	struct vg_dies *dies = &reader->dies;
	Dwarf_Die origin = vg_die_referred(dies, die, DW_AT_abstract_origin);

	if (!origin)
		origin = vg_die_referred(dies, die, DW_AT_specification);
	if (origin && depth < MAX_ORIGINS) {
		find_origin(reader, origin, copy, depth + 1);
	} else {
		dies->is_damaged |= origin != NULL;
		copy->function = vg_die_name(dies, die);
		copy->unit = unit_name(reader, die);
	}
	vg_die_release(dies, origin);
}

/* The start of the first range, for functions in two parts (hot and cold). */
static bool first_range(struct vg_dies *dies, Dwarf_Die die, uint64_t *start)
{
	Dwarf_Attribute attribute;
	Dwarf_Half form = 0;
	Dwarf_Unsigned value = 0, count = 0, set, raw, end;
	Dwarf_Rnglists_Head head;
	bool found = false;

	if (dwarf_attr(die, DW_AT_ranges, &attribute, &dies->error) != DW_DLV_OK)
		return false;
	dwarf_whatform(attribute, &form, &dies->error);
	if ((dwarf_global_formref(attribute, &value, &dies->error) == DW_DLV_OK ||
	     dwarf_formudata(attribute, &value, &dies->error) == DW_DLV_OK) &&
	    dwarf_rnglists_get_rle_head(attribute, form, value, &head, &count, &set,
					&dies->error) == DW_DLV_OK) {
		for (Dwarf_Unsigned i = 0; i < count && !found; i++) {
			unsigned bytes, kind = 0;
			Dwarf_Bool unavailable;
			Dwarf_Unsigned first = 0;

			if (dwarf_get_rnglists_entry_fields_a(head, i, &bytes, &kind, &raw, &raw,
							      &unavailable, &first, &end,
							      &dies->error) != DW_DLV_OK)
				break;
			found = kind == DW_RLE_offset_pair || kind == DW_RLE_start_end ||
				kind == DW_RLE_start_length || kind == DW_RLE_startx_length ||
				kind == DW_RLE_startx_endx;
			*start = first;
		}
		dwarf_dealloc_rnglists_head(head);
	}
	dwarf_dealloc(dies->debug, attribute, DW_DLA_ATTR);
	/* ranges that this cannot read (DWARF 4) are code that it cannot place */
	dies->is_damaged |= !found;
	return found;
}

/* False: a declaration, or the description that inlined copies share. */
static bool has_code(struct vg_dies *dies, Dwarf_Die die, uint64_t *address)
{
	Dwarf_Addr low;

	if (dwarf_lowpc(die, &low, &dies->error) == DW_DLV_OK) {
		*address = low;
		return true;
	}
	return first_range(dies, die, address);
}

static struct vg_error *walk(struct reader *reader, Dwarf_Die parent, const struct vg_copy *body,
			     unsigned depth);

static struct vg_error *add(struct reader *reader, struct vg_copy copy)
{
	return vg_list_push(reader->dies.arena, &reader->copies->list, copy) ? NULL
									     : vg_error_no_memory();
}

static struct vg_error *take(struct reader *reader, Dwarf_Die die, const struct vg_copy *body,
			     unsigned depth)
{
	struct vg_copy copy = {0};

	switch (vg_die_tag(&reader->dies, die)) {
	case DW_TAG_subprogram:
		if (!has_code(&reader->dies, die, &copy.address))
			return NULL;
		find_origin(reader, die, &copy, 0);
		VG_TRY(add(reader, copy));
		return walk(reader, die, &copy, depth + 1);
	case DW_TAG_inlined_subroutine:
		find_origin(reader, die, &copy, 0);
		copy.within = body ? body->function : "";
		copy.address = body ? body->address : 0;
		VG_TRY(add(reader, copy));
		return walk(reader, die, body, depth + 1);
	case DW_TAG_lexical_block:
		return walk(reader, die, body, depth + 1);
	default:
		return NULL;
	}
}

static struct vg_error *walk(struct reader *reader, Dwarf_Die parent, const struct vg_copy *body,
			     unsigned depth)
{
	struct vg_error *error = NULL;
	Dwarf_Die die = NULL;

	if (depth < MAX_DEPTH)
		die = vg_die_child(&reader->dies, parent);
	else
		reader->dies.is_damaged = true;
	while (die && !error) {
		error = take(reader, die, body, depth);
		if (!error)
			die = vg_die_next(&reader->dies, die);
	}
	if (error)
		vg_die_release(&reader->dies, die);
	return error;
}

struct vg_error *vg_copies_read(struct vg_arena *arena, const char *path, struct vg_copies *copies)
{
	struct reader reader = {.copies = copies};
	struct vg_error *error = NULL, *closed;
	Dwarf_Die unit;

	*copies = (struct vg_copies){0};
	VG_TRY(vg_dies_open(arena, path, &reader.dies));
	copies->is_known = reader.dies.debug;
	while (!error && (unit = vg_dies_next_unit(&reader.dies))) {
		error = walk(&reader, unit, NULL, 0);
		vg_die_release(&reader.dies, unit);
	}
	copies->is_known = copies->is_known && !reader.dies.is_damaged;
	closed = vg_dies_close(&reader.dies);
	if (!error)
		return closed;
	vg_error_free(closed);
	return error;
}
