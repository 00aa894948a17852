/* SPDX-License-Identifier: MIT */
#include "differ/inline_chain.h"

#include <string.h>

#include "common/error.h"
#include "differ/die.h"

struct search {
	struct vg_dies dies;
	uint64_t address; /* as vg_die_address() makes them */
	const char *chain;
};

static bool is_in_list(struct search *search, Dwarf_Rnglists_Head head, Dwarf_Unsigned count)
{
	bool found = false;

	for (Dwarf_Unsigned i = 0; i < count && !found; i++) {
		unsigned bytes, kind;
		Dwarf_Unsigned raw1, raw2, start, end;
		Dwarf_Bool unavailable;

		if (dwarf_get_rnglists_entry_fields_a(head, i, &bytes, &kind, &raw1, &raw2,
						      &unavailable, &start, &end,
						      &search->dies.error) != DW_DLV_OK)
			return false;
		if (kind == DW_RLE_offset_pair || kind == DW_RLE_start_end ||
		    kind == DW_RLE_start_length)
			found = search->address >= start && search->address < end;
	}
	return found;
}

static bool is_in_ranges(struct search *search, Dwarf_Die die)
{
	Dwarf_Attribute attribute;
	Dwarf_Half form = 0;
	Dwarf_Unsigned value = 0, count = 0, set;
	Dwarf_Rnglists_Head head;
	bool found = false;

	if (dwarf_attr(die, DW_AT_ranges, &attribute, &search->dies.error) != DW_DLV_OK)
		return false;
	dwarf_whatform(attribute, &form, &search->dies.error);
	if ((dwarf_global_formref(attribute, &value, &search->dies.error) == DW_DLV_OK ||
	     dwarf_formudata(attribute, &value, &search->dies.error) == DW_DLV_OK) &&
	    dwarf_rnglists_get_rle_head(attribute, form, value, &head, &count, &set,
					&search->dies.error) == DW_DLV_OK) {
		found = is_in_list(search, head, count);
		dwarf_dealloc_rnglists_head(head);
	}
	dwarf_dealloc(search->dies.debug, attribute, DW_DLA_ATTR);
	return found;
}

static bool covers(struct search *search, Dwarf_Die die)
{
	Dwarf_Addr low, high;
	Dwarf_Half form;
	enum Dwarf_Form_Class class;

	if (dwarf_lowpc(die, &low, &search->dies.error) != DW_DLV_OK ||
	    dwarf_highpc_b(die, &high, &form, &class, &search->dies.error) != DW_DLV_OK)
		return is_in_ranges(search, die);
	if (class == DW_FORM_CLASS_CONSTANT)
		high += low;
	return search->address >= low && search->address < high;
}

static const char *function_name(struct search *search, Dwarf_Die die)
{
	const char *name = vg_die_name(&search->dies, die);
	Dwarf_Die origin =
		*name ? NULL : vg_die_referred(&search->dies, die, DW_AT_abstract_origin);

	if (origin)
		name = vg_die_name(&search->dies, origin);
	vg_die_release(&search->dies, origin);
	return name;
}

static void add_link(struct search *search, const char *name)
{
	search->chain =
		search->chain ? vg_arena_printf(search->dies.arena, "%s in %s", name, search->chain)
			      : name;
	if (!search->chain)
		search->dies.out_of_memory = true;
}

/* Outer to inner: each link goes in front of the chain. */
static void walk(struct search *search, Dwarf_Die parent, unsigned depth)
{
	Dwarf_Die die = depth < 64 ? vg_die_child(&search->dies, parent) : NULL;

	for (; die; die = vg_die_next(&search->dies, die)) {
		Dwarf_Half tag = vg_die_tag(&search->dies, die);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
			continue;
		if (tag == DW_TAG_inlined_subroutine) {
			if (!covers(search, die))
				continue;
			add_link(search, function_name(search, die));
		}
		walk(search, die, depth + 1);
	}
}

struct vg_error *vg_inline_chain(struct vg_arena *arena, const char *path, const char *function,
				 uint64_t address, const char **chain)
{
	struct search search = {.address = address};
	Dwarf_Die unit;

	VG_TRY(vg_dies_open(arena, path, &search.dies));
	while ((unit = vg_dies_next_unit(&search.dies))) {
		Dwarf_Die die = vg_die_child(&search.dies, unit);

		for (; die; die = vg_die_next(&search.dies, die))
			if (vg_die_tag(&search.dies, die) == DW_TAG_subprogram &&
			    !strcmp(function_name(&search, die), function) && covers(&search, die))
				walk(&search, die, 0);
		vg_die_release(&search.dies, unit);
	}
	*chain = search.chain;
	return vg_dies_close(&search.dies);
}
