/* SPDX-License-Identifier: MIT */
#include "differ/type_table.h"

#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>
#include <string.h>

#include "common/error.h"

#define MAX_DEPTH 12 /* of types inside types; deeper ones read as "…" */

struct reader {
	struct vg_arena *arena;
	Dwarf_Debug debug;
	Dwarf_Error error; /* of the last call; without it libdwarf may abort */
	struct vg_type_table *table;
	bool out_of_memory;
};

static const char *type_text(struct reader *reader, Dwarf_Die die, unsigned depth);

static const char *keep(struct reader *reader, const char *text)
{
	const char *copy = vg_arena_strdup(reader->arena, text);

	if (!copy)
		reader->out_of_memory = true;
	return copy ?: "";
}

static const char *die_name(struct reader *reader, Dwarf_Die die)
{
	char *name = NULL;

	if (dwarf_diename(die, &name, &reader->error) != DW_DLV_OK)
		return "";
	return keep(reader, name);
}

static Dwarf_Half die_tag(struct reader *reader, Dwarf_Die die)
{
	Dwarf_Half tag = 0;

	return dwarf_tag(die, &tag, &reader->error) == DW_DLV_OK ? tag : 0;
}

static bool read_number(struct reader *reader, Dwarf_Die die, Dwarf_Half name, uint64_t *value)
{
	Dwarf_Attribute attribute;
	Dwarf_Unsigned number = 0;
	Dwarf_Signed negative = 0;
	bool found = true;

	if (dwarf_attr(die, name, &attribute, &reader->error) != DW_DLV_OK)
		return false;
	if (dwarf_formudata(attribute, &number, &reader->error) == DW_DLV_OK)
		*value = number;
	else if (dwarf_formsdata(attribute, &negative, &reader->error) == DW_DLV_OK)
		*value = (uint64_t)negative;
	else
		found = false;
	dwarf_dealloc(reader->debug, attribute, DW_DLA_ATTR);
	return found;
}

static uint64_t number_of(struct reader *reader, Dwarf_Die die, Dwarf_Half name)
{
	uint64_t value = 0;

	return read_number(reader, die, name, &value) ? value : 0;
}

/* The DIE that an attribute refers to; NULL. To be released with DW_DLA_DIE. */
static Dwarf_Die referred_die(struct reader *reader, Dwarf_Die die, Dwarf_Half name)
{
	Dwarf_Attribute attribute;
	Dwarf_Off offset;
	Dwarf_Die found = NULL;

	if (dwarf_attr(die, name, &attribute, &reader->error) != DW_DLV_OK)
		return NULL;
	if (dwarf_global_formref(attribute, &offset, &reader->error) != DW_DLV_OK ||
	    dwarf_offdie_b(reader->debug, offset, true, &found, &reader->error) != DW_DLV_OK)
		found = NULL;
	dwarf_dealloc(reader->debug, attribute, DW_DLA_ATTR);
	return found;
}

static void release(struct reader *reader, Dwarf_Die die)
{
	if (die)
		dwarf_dealloc(reader->debug, die, DW_DLA_DIE);
}

static Dwarf_Die first_child(struct reader *reader, Dwarf_Die die)
{
	Dwarf_Die child = NULL;

	return dwarf_child(die, &child, &reader->error) == DW_DLV_OK ? child : NULL;
}

/* The next sibling; releases the current one. */
static Dwarf_Die next_sibling(struct reader *reader, Dwarf_Die die)
{
	Dwarf_Die next = NULL;

	if (dwarf_siblingof_b(reader->debug, die, true, &next, &reader->error) != DW_DLV_OK)
		next = NULL;
	release(reader, die);
	return next;
}

static const char *inner_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	Dwarf_Die inner = referred_die(reader, die, DW_AT_type);
	const char *text = inner ? type_text(reader, inner, depth + 1) : "void";

	release(reader, inner);
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

	for (Dwarf_Die child = first_child(reader, die); child;
	     child = next_sibling(reader, child)) {
		uint64_t count = 0;

		if (die_tag(reader, child) != DW_TAG_subrange_type)
			continue;
		if (!read_number(reader, child, DW_AT_count, &count) &&
		    read_number(reader, child, DW_AT_upper_bound, &count))
			count++;
		text = print(reader, vg_arena_printf(reader->arena, "%s [%llu]", text,
						     (unsigned long long)count));
	}
	return text;
}

static const char *parameters_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	const char *text = "";

	for (Dwarf_Die child = first_child(reader, die); child;
	     child = next_sibling(reader, child)) {
		Dwarf_Half tag = die_tag(reader, child);
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

static struct vg_type_member read_member(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	struct vg_type_member member = {
		.name = die_name(reader, die),
		.line = (unsigned)number_of(reader, die, DW_AT_decl_line),
		.bits = number_of(reader, die, DW_AT_bit_size),
	};

	if (die_tag(reader, die) == DW_TAG_enumerator) {
		member.type = "";
		member.offset = number_of(reader, die, DW_AT_const_value);
		return member;
	}
	member.type = inner_text(reader, die, depth);
	if (!read_number(reader, die, DW_AT_data_bit_offset, &member.offset))
		member.offset = number_of(reader, die, DW_AT_data_member_location);
	return member;
}

static void read_members(struct reader *reader, Dwarf_Die die, struct vg_type *type, unsigned depth)
{
	for (Dwarf_Die child = first_child(reader, die); child;
	     child = next_sibling(reader, child)) {
		Dwarf_Half tag = die_tag(reader, child);

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
	Dwarf_Die inner = referred_die(reader, die, DW_AT_type);
	bool anonymous = inner && kind_of(die_tag(reader, inner)) && !*die_name(reader, inner);

	release(reader, inner);
	return anonymous;
}

static const char *type_text(struct reader *reader, Dwarf_Die die, unsigned depth)
{
	Dwarf_Half tag = die_tag(reader, die);
	const char *kind = kind_of(tag), *name = die_name(reader, die);

	if (depth > MAX_DEPTH)
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
		.bytes = number_of(reader, die, DW_AT_byte_size),
		.line = (unsigned)number_of(reader, die, DW_AT_decl_line),
	};

	if (!*name || number_of(reader, die, DW_AT_declaration))
		return;
	read_members(reader, die, &type, 0);
	if (!vg_list_push(reader->arena, &reader->table->types, type))
		reader->out_of_memory = true;
}

static void add_typedef(struct reader *reader, Dwarf_Die die)
{
	Dwarf_Die inner = referred_die(reader, die, DW_AT_type);

	if (inner && kind_of(die_tag(reader, inner)) && !*die_name(reader, inner))
		add_type(reader, inner, "typedef", die_name(reader, die));
	release(reader, inner);
}

static void add_function(struct reader *reader, Dwarf_Die die)
{
	struct vg_function_type function = {
		.name = die_name(reader, die),
		.line = (unsigned)number_of(reader, die, DW_AT_decl_line),
	};

	if (!*function.name || number_of(reader, die, DW_AT_declaration))
		return;
	function.signature = signature_text(reader, die, 0);
	if (!vg_list_push(reader->arena, &reader->table->functions, function))
		reader->out_of_memory = true;
}

/* Types may also stand inside functions; those are found one level down. */
static void read_children(struct reader *reader, Dwarf_Die parent, unsigned depth)
{
	for (Dwarf_Die die = first_child(reader, parent); die; die = next_sibling(reader, die)) {
		Dwarf_Half tag = die_tag(reader, die);
		const char *kind = kind_of(tag);

		if (kind)
			add_type(reader, die, kind, die_name(reader, die));
		else if (tag == DW_TAG_typedef)
			add_typedef(reader, die);
		else if (tag == DW_TAG_subprogram)
			add_function(reader, die);
		if (depth < MAX_DEPTH && (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block))
			read_children(reader, die, depth + 1);
	}
}

static void read_units(struct reader *reader)
{
	Dwarf_Unsigned length, type_offset, next;
	Dwarf_Half version, address_bytes, offset_bytes, extension, unit_type;
	Dwarf_Off abbreviations;
	Dwarf_Sig8 signature;
	Dwarf_Die die;

	while (dwarf_next_cu_header_d(reader->debug, true, &length, &version, &abbreviations,
				      &address_bytes, &offset_bytes, &extension, &signature,
				      &type_offset, &next, &unit_type,
				      &reader->error) == DW_DLV_OK) {
		if (dwarf_siblingof_b(reader->debug, NULL, true, &die, &reader->error) != DW_DLV_OK)
			continue;
		reader->table->has_debug_information = true;
		read_children(reader, die, 0);
		release(reader, die);
	}
}

struct vg_error *vg_type_table_read(struct vg_arena *arena, const char *path,
				    struct vg_type_table *table)
{
	struct reader reader = {.arena = arena, .table = table};

	*table = (struct vg_type_table){0};
	if (dwarf_init_path(path, NULL, 0, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL,
			    &reader.debug, NULL, 0, NULL, &reader.error) != DW_DLV_OK) {
		if (reader.error)
			dwarf_dealloc_error(NULL, reader.error);
		return NULL;
	}
	read_units(&reader);
	dwarf_finish(reader.debug, &reader.error);
	return reader.out_of_memory ? vg_error_no_memory() : NULL;
}

const struct vg_function_type *vg_type_table_function(const struct vg_type_table *table,
						      const char *name)
{
	for (size_t i = 0; i < table->functions.count; i++)
		if (!strcmp(table->functions.at[i].name, name))
			return &table->functions.at[i];
	return NULL;
}
