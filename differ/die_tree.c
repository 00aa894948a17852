/* SPDX-License-Identifier: MIT */
/*
 * May libdwarf follow DW_AT_sibling? It goes wherever that leads: back, into the children of other
 * entries, or, for ever, to the entry itself (seen in 20210528). So the tree of each unit is walked
 * first (DWARF 5, 2.3 and 7.5): each such attribute must lead behind the entry's children, and an
 * abbreviation must have a code of its own, so that nobody can take entries for others.
 */
#include <stdlib.h>
#include <string.h>

#include <libdwarf/dwarf.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/die.h"
#include "differ/dwarf_form.h"

struct attribute {
	uint64_t name, form;
};

struct abbreviation {
	uint64_t code;
	bool has_children;
	size_t first, count; /* of the attributes */
};

/* What is known of the unit that is walked. */
struct walk {
	struct vg_arena arena;
	const struct vg_die_section *abbreviations;
	uint64_t table; /* offset of the table that is read, UINT64_MAX: none */
	VG_LIST(struct abbreviation) list;
	VG_LIST(struct attribute) attributes;
	VG_LIST(uint64_t) open; /* entries with children: where DW_AT_sibling leads, or 0 */
	struct vg_dwarf_reader unit;
	uint64_t start; /* of the unit, which references count from */
	unsigned version;
	bool out_of_memory;
};

static void end_walk(struct walk *walk)
{
	vg_arena_clear(&walk->arena);
}

static void add_attribute(struct walk *walk, struct vg_dwarf_reader *table,
			  struct abbreviation *abbreviation)
{
	struct attribute attribute = {.name = vg_dwarf_read_leb(table)};

	attribute.form = vg_dwarf_read_leb(table);
	if (attribute.form == DW_FORM_implicit_const)
		vg_dwarf_read_leb(table);
	if (!attribute.name && !attribute.form)
		return;
	abbreviation->count++;
	walk->out_of_memory |= !vg_list_push(&walk->arena, &walk->attributes, attribute);
}

static void add_abbreviation(struct walk *walk, struct vg_dwarf_reader *table, uint64_t code)
{
	struct abbreviation abbreviation = {.code = code, .first = walk->attributes.count};
	size_t before;

	vg_dwarf_read_leb(table); /* tag */
	abbreviation.has_children = vg_dwarf_read(table, 1);
	do {
		before = abbreviation.count;
		add_attribute(walk, table, &abbreviation);
	} while (abbreviation.count > before && !table->failed && !walk->out_of_memory);
	walk->out_of_memory |= !vg_list_push(&walk->arena, &walk->list, abbreviation);
}

static int by_code(const void *left, const void *right)
{
	const struct abbreviation *a = left, *b = right;

	return (a->code > b->code) - (a->code < b->code);
}

static bool has_own_codes(const struct walk *walk)
{
	for (size_t i = 1; i < walk->list.count; i++)
		if (walk->list.at[i].code == walk->list.at[i - 1].code)
			return false;
	return true;
}

/* Units that are linked together may share one. */
static bool read_table(struct walk *walk, uint64_t offset)
{
	struct vg_dwarf_reader table = {.at = offset};
	uint64_t code;

	if (offset == walk->table)
		return true;
	if (!walk->abbreviations || offset >= walk->abbreviations->size)
		return false;
	table.data = walk->abbreviations->bytes;
	table.end = walk->abbreviations->size;
	walk->table = offset;
	walk->list.count = walk->attributes.count = 0;
	while ((code = vg_dwarf_read_leb(&table)) && !walk->out_of_memory)
		add_abbreviation(walk, &table, code);
	if (table.failed || walk->out_of_memory || !walk->list.count)
		return false;
	qsort(walk->list.at, walk->list.count, sizeof(*walk->list.at), by_code);
	return has_own_codes(walk);
}

/* What stands behind the length and the version; 7.5.1. */
static bool read_header(struct walk *walk)
{
	struct vg_dwarf_reader *unit = &walk->unit;
	uint64_t type = DW_UT_compile, address_bytes = 8, table;

	walk->version = (unsigned)vg_dwarf_read(unit, 2);
	if (walk->version < 2 || walk->version > 5)
		return false;
	if (walk->version == 5) {
		type = vg_dwarf_read(unit, 1);
		address_bytes = vg_dwarf_read(unit, 1);
	}
	table = vg_dwarf_read(unit, 4);
	if (walk->version < 5)
		address_bytes = vg_dwarf_read(unit, 1);
	if (type == DW_UT_type || type == DW_UT_split_type)
		vg_dwarf_skip(unit, 8 + 4); /* signature, offset */
	if (type == DW_UT_skeleton || type == DW_UT_split_compile)
		vg_dwarf_skip(unit, 8); /* dwo_id */
	return !unit->failed && address_bytes == 8 && read_table(walk, table);
}

/* NULL where the children of an entry end, and with unit.failed where the code is not known. */
static const struct abbreviation *read_code(struct walk *walk)
{
	uint64_t before = walk->unit.at;
	struct abbreviation wanted = {.code = vg_dwarf_read_leb(&walk->unit)};
	const struct abbreviation *found;

	if (!wanted.code) {
		walk->unit.failed |= walk->unit.at - before != 1;
		return NULL;
	}
	found = bsearch(&wanted, walk->list.at, walk->list.count, sizeof(wanted), by_code);
	walk->unit.failed |= !found;
	return found;
}

/* Returns where DW_AT_sibling leads in the unit, 0 if there is none. */
static uint64_t read_attributes(struct walk *walk, const struct abbreviation *abbreviation)
{
	uint64_t sibling = 0;

	for (size_t i = 0; i < abbreviation->count && !walk->unit.failed; i++) {
		const struct attribute *attribute = &walk->attributes.at[abbreviation->first + i];
		uint64_t form = attribute->form == DW_FORM_indirect ? vg_dwarf_read_leb(&walk->unit)
								    : attribute->form;
		uint64_t value = vg_dwarf_read_form(&walk->unit, form, walk->version);

		if (attribute->name == DW_AT_sibling)
			sibling = value ?: UINT64_MAX;
	}
	return sibling;
}

static bool leads_here(const struct walk *walk, uint64_t sibling)
{
	return !sibling || sibling == walk->unit.at - walk->start;
}

/* One entry, or the end of the children of one. */
static bool walk_entry(struct walk *walk)
{
	const struct abbreviation *abbreviation = read_code(walk);
	uint64_t sibling;

	if (!abbreviation)
		return !walk->unit.failed && walk->open.count &&
		       leads_here(walk, walk->open.at[--walk->open.count]);
	sibling = read_attributes(walk, abbreviation);
	if (walk->unit.failed)
		return false;
	if (!abbreviation->has_children)
		return leads_here(walk, sibling);
	walk->out_of_memory |= !vg_list_push(&walk->arena, &walk->open, sibling);
	return !walk->out_of_memory;
}

/* What lies behind the tree of a unit is read by nobody. */
static bool walk_unit(struct walk *walk)
{
	if (!read_header(walk))
		return false;
	walk->open.count = 0;
	do {
		if (!walk_entry(walk))
			return false;
	} while (walk->open.count);
	return true;
}

struct vg_error *vg_die_trees_are_sound(const struct vg_die_section *info,
					const struct vg_die_section *abbreviations, bool *sound)
{
	_cleanup_(end_walk) struct walk walk = {.abbreviations = abbreviations,
						.table = UINT64_MAX};

	*sound = true;
	for (uint64_t next = 0; *sound && next < info->size;) {
		walk.start = next;
		*sound = vg_dwarf_next_unit(info->bytes, info->size, &next, &walk.unit) &&
			 walk_unit(&walk);
	}
	return walk.out_of_memory ? vg_error_no_memory() : NULL;
}
