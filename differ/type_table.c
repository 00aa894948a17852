/* SPDX-License-Identifier: MIT */
#include "differ/type_table.h"

#include <string.h>

#include "common/error.h"
#include "differ/die.h"

#define MAX_DEPTH 12 /* of types inside types; deeper ones read as "…" */

struct reader {
	struct vg_arena *arena;
	struct vg_dies dies;
	struct vg_die_files files; /* of the unit being read */
	struct vg_type_table *table;
	bool out_of_memory;
};

static const char *type_text(struct reader *reader, Dwarf_Die die, unsigned depth);

static const char *inner_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	Dwarf_Die inner = vg_die_referred(&reader->dies, die, DW_AT_type);
	const char *text = inner ? type_text(reader, inner, depth + 1) : "void";

	vg_die_release(&reader->dies, inner);
	return text;
}

static const char *print(struct reader *reader, const char *text)
{
	if (!text)
		reader->out_of_memory = true;
	return text ?: "";
}

static const char *array_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	const char *text = inner_text(reader, die, depth);

	for (Dwarf_Die child = vg_die_child(&reader->dies, die); child;
	     child = vg_die_next(&reader->dies, child)) {
		uint64_t count = 0;

		if (vg_die_tag(&reader->dies, child) != DW_TAG_subrange_type)
			continue;
		if (!vg_die_read(&reader->dies, child, DW_AT_count, &count) &&
		    vg_die_read(&reader->dies, child, DW_AT_upper_bound, &count))
			count++;
		text = print(reader, vg_arena_printf(reader->arena, "%s [%llu]", text,
						     (unsigned long long)count));
	}
	return text;
}

static const char *parameters_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	const char *text = "";

	for (Dwarf_Die child = vg_die_child(&reader->dies, die); child;
	     child = vg_die_next(&reader->dies, child)) {
		Dwarf_Half tag = vg_die_tag(&reader->dies, child);
		const char *one = NULL;

		if (tag == DW_TAG_formal_parameter)
			one = inner_text(reader, child, depth);
		else if (tag == DW_TAG_unspecified_parameters)
			one = "...";
		if (one)
			text = print(reader, vg_arena_printf(reader->arena, "%s%s%s", text,
							     *text ? ", " : "", one));
	}
	return text;
}

static const char *signature_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	return print(reader,
		     vg_arena_printf(reader->arena, "%s (%s)", inner_text(reader, die, depth),
				     parameters_text(reader, die, depth)));
}

static const char *kind_of(Dwarf_Half tag)
{
	switch (tag) {
	case DW_TAG_structure_type:
		return "struct";
	case DW_TAG_union_type:
		return "union";
	case DW_TAG_enumeration_type:
		return "enum";
	default:
		return NULL;
	}
}

static const char *file_of(struct reader *reader, Dwarf_Die die)
{
	return vg_die_file(&reader->files, vg_die_number(&reader->dies, die, DW_AT_decl_file));
}

static struct vg_type_member read_member(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	struct vg_type_member member = {
		.name = vg_die_name(&reader->dies, die),
		.file = file_of(reader, die),
		.line = (unsigned)vg_die_number(&reader->dies, die, DW_AT_decl_line),
		.bits = vg_die_number(&reader->dies, die, DW_AT_bit_size),
		.align = vg_die_number(&reader->dies, die, DW_AT_alignment),
	};

	if (vg_die_tag(&reader->dies, die) == DW_TAG_enumerator) {
		member.type = "";
		member.offset = vg_die_number(&reader->dies, die, DW_AT_const_value);
		return member;
	}
	member.type = inner_text(reader, die, depth);
	if (!vg_die_read(&reader->dies, die, DW_AT_data_bit_offset, &member.offset))
		member.offset = vg_die_number(&reader->dies, die, DW_AT_data_member_location);
	return member;
}

static void read_members(struct reader *reader, Dwarf_Die die, struct vg_type *type, unsigned depth)
{
	for (Dwarf_Die child = vg_die_child(&reader->dies, die); child;
	     child = vg_die_next(&reader->dies, child)) {
		Dwarf_Half tag = vg_die_tag(&reader->dies, child);

		if (tag != DW_TAG_member && tag != DW_TAG_enumerator)
			continue;

		struct vg_type_member member = read_member(reader, child, depth);

		if (!vg_list_push(reader->arena, &type->members, member))
			reader->out_of_memory = true;
	}
}

/* A type without a name is its contents. */
static const char *anonymous_text(struct reader *reader, Dwarf_Die die, const char *kind,
				  unsigned depth)
{
	struct vg_type type = {0};
	const char *text = kind;

	read_members(reader, die, &type, depth);
	for (size_t i = 0; i < type.members.count; i++) {
		const struct vg_type_member *member = &type.members.at[i];

		text = print(reader, vg_arena_printf(reader->arena, "%s%s%s %s @%llu:%llu", text,
						     i ? "; " : " { ", member->type, member->name,
						     (unsigned long long)member->offset,
						     (unsigned long long)member->bits));
	}
	return print(reader, vg_arena_printf(reader->arena, "%s }", text));
}

static const char *suffixed(struct reader *reader, Dwarf_Die die, const char *suffix,
			    unsigned depth)
{
	return print(reader, vg_arena_printf(reader->arena, "%s%s", inner_text(reader, die, depth),
					     suffix));
}

/* Does a typedef give the only name to a struct, union or enum? */
static bool names_anonymous(struct reader *reader, Dwarf_Die die)
{
	Dwarf_Die inner = vg_die_referred(&reader->dies, die, DW_AT_type);
	bool anonymous = inner && kind_of(vg_die_tag(&reader->dies, inner)) &&
			 !*vg_die_name(&reader->dies, inner);

	vg_die_release(&reader->dies, inner);
	return anonymous;
}

static const char *type_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	Dwarf_Half tag = vg_die_tag(&reader->dies, die);
	const char *kind = kind_of(tag), *name = vg_die_name(&reader->dies, die);

	if (depth > MAX_DEPTH || reader->dies.is_damaged)
		return "…";
	if (kind)
		return *name ? print(reader, vg_arena_printf(reader->arena, "%s %s", kind, name))
			     : anonymous_text(reader, die, kind, depth);
	switch (tag) {
	case DW_TAG_base_type:
		return name;
	case DW_TAG_typedef:
		return names_anonymous(reader, die) ? name : inner_text(reader, die, depth);
	case DW_TAG_pointer_type:
		return suffixed(reader, die, " *", depth);
	case DW_TAG_array_type:
		return array_text(reader, die, depth);
	case DW_TAG_subroutine_type:
		return signature_text(reader, die, depth);
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return inner_text(reader, die, depth);
	default:
		return *name ? name : "?";
	}
}

static void add_type(struct reader *reader, Dwarf_Die die, const char *kind, const char *name)
{
	struct vg_type type = {
		.kind = kind,
		.name = name,
		.bytes = vg_die_number(&reader->dies, die, DW_AT_byte_size),
		.align = vg_die_number(&reader->dies, die, DW_AT_alignment),
		.file = file_of(reader, die),
		.line = (unsigned)vg_die_number(&reader->dies, die, DW_AT_decl_line),
	};

	if (!*name || vg_die_has(&reader->dies, die, DW_AT_declaration))
		return;
	read_members(reader, die, &type, 0);
	if (!vg_list_push(reader->arena, &reader->table->types, type))
		reader->out_of_memory = true;
}

static void add_typedef(struct reader *reader, Dwarf_Die die)
{
	Dwarf_Die inner = vg_die_referred(&reader->dies, die, DW_AT_type);

	if (inner && kind_of(vg_die_tag(&reader->dies, inner)) &&
	    !*vg_die_name(&reader->dies, inner))
		add_type(reader, inner, "typedef", vg_die_name(&reader->dies, die));
	vg_die_release(&reader->dies, inner);
}

static void add_declaration(struct reader *reader, Dwarf_Die die, const char *name,
			    const char *type)
{
	struct vg_declaration declaration = {
		.name = name,
		.type = type,
		.file = file_of(reader, die),
		.line = (unsigned)vg_die_number(&reader->dies, die, DW_AT_decl_line),
	};

	if (!vg_list_push(reader->arena, &reader->table->declarations, declaration))
		reader->out_of_memory = true;
}

/* What the place of a variable begins with that lives for good (DWARF 5, 2.5.1.1). */
static bool is_static_operation(uint8_t operation)
{
	switch (operation) {
	case DW_OP_addr:
	case DW_OP_addrx:
	case DW_OP_const4u: /* thread-local: an offset */
	case DW_OP_const8u:
	case DW_OP_constx:
		return true;
	default:
		return false;
	}
}

static bool is_static_place(struct reader *reader, Dwarf_Die die)
{
	Dwarf_Attribute attribute;
	Dwarf_Unsigned bytes = 0;
	Dwarf_Ptr block = NULL;
	bool found = false;

	if (dwarf_attr(die, DW_AT_location, &attribute, &reader->dies.error) != DW_DLV_OK)
		return false;
	if (dwarf_formexprloc(attribute, &bytes, &block, &reader->dies.error) == DW_DLV_OK && bytes)
		found = is_static_operation(*(const uint8_t *)block);
	dwarf_dealloc(reader->dies.debug, attribute, DW_DLA_ATTR);
	return found;
}

/*
 * `extern int x;` in a header and the definition are two entries; the second has no name, and a
 * type only where it says more (`extern int x[];`).
 */
static void add_variable(struct reader *reader, Dwarf_Die die)
{
	const char *name = vg_die_name(&reader->dies, die);
	Dwarf_Die first = *name ? NULL : vg_die_referred(&reader->dies, die, DW_AT_specification);
	bool has_type = !first || vg_die_has(&reader->dies, die, DW_AT_type);
	const char *type = inner_text(reader, has_type ? die : first, 0);

	if (first)
		name = vg_die_name(&reader->dies, first);
	vg_die_release(&reader->dies, first);
	if (*name && is_static_place(reader, die))
		add_declaration(reader, die, name, type);
}

static void add_noreturn(struct reader *reader, Dwarf_Die die, const char *name)
{
	if (vg_die_has(&reader->dies, die, DW_AT_noreturn) &&
	    !vg_list_push(reader->arena, &reader->table->noreturns, name))
		reader->out_of_memory = true;
}

static void add_function(struct reader *reader, Dwarf_Die die)
{
	struct vg_function_type function = {
		.name = vg_die_name(&reader->dies, die),
		.file = file_of(reader, die),
		.line = (unsigned)vg_die_number(&reader->dies, die, DW_AT_decl_line),
	};

	if (!*function.name)
		return;
	add_noreturn(reader, die, function.name);
	if (vg_die_has(&reader->dies, die, DW_AT_declaration))
		return;
	add_declaration(reader, die, function.name, "");
	function.signature = signature_text(reader, die, 0);
	if (!vg_list_push(reader->arena, &reader->table->functions, function))
		reader->out_of_memory = true;
}

/* Types may also stand inside functions; those are found one level down. */
static void read_children(struct reader *reader, Dwarf_Die parent, unsigned depth)
{
	for (Dwarf_Die die = vg_die_child(&reader->dies, parent); die;
	     die = vg_die_next(&reader->dies, die)) {
		Dwarf_Half tag = vg_die_tag(&reader->dies, die);
		const char *kind = kind_of(tag);

		if (kind)
			add_type(reader, die, kind, vg_die_name(&reader->dies, die));
		else if (tag == DW_TAG_typedef)
			add_typedef(reader, die);
		else if (tag == DW_TAG_subprogram)
			add_function(reader, die);
		else if (tag == DW_TAG_variable)
			add_variable(reader, die);
		if (depth < MAX_DEPTH && (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block))
			read_children(reader, die, depth + 1);
	}
}

struct vg_error *vg_type_table_read(struct vg_arena *arena, const char *path,
				    struct vg_type_table *table)
{
	struct reader reader = {.arena = arena, .table = table};
	struct vg_error *error = NULL;
	Dwarf_Die die;

	*table = (struct vg_type_table){0};
	VG_TRY(vg_dies_open(arena, path, &reader.dies));
	while ((die = vg_dies_next_unit(&reader.dies))) {
		error = vg_die_files_read(&reader.dies, die, &reader.files);
		if (!error)
			read_children(&reader, die, 0);
		vg_die_release(&reader.dies, die);
		if (error)
			break;
		table->has_debug_information = true;
	}
	table->is_damaged = reader.dies.is_damaged;

	struct vg_error *closed = vg_dies_close(&reader.dies);

	if (!error && closed)
		return closed;
	vg_error_free(closed);
	return error ?: reader.out_of_memory ? vg_error_no_memory() : NULL;
}

const struct vg_function_type *vg_type_table_function(const struct vg_type_table *table,
						      const char *name)
{
	for (size_t i = 0; i < table->functions.count; i++)
		if (!strcmp(table->functions.at[i].name, name))
			return &table->functions.at[i];
	return NULL;
}

bool vg_type_table_is_noreturn(const struct vg_type_table *table, const char *name)
{
	for (size_t i = 0; i < table->noreturns.count; i++)
		if (!strcmp(table->noreturns.at[i], name))
			return true;
	return false;
}

const struct vg_declaration *vg_type_table_declaration(const struct vg_type_table *table,
						       const char *name)
{
	for (size_t i = 0; i < table->declarations.count; i++)
		if (!strcmp(table->declarations.at[i].name, name))
			return &table->declarations.at[i];
	return NULL;
}
