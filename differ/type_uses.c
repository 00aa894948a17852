/* SPDX-License-Identifier: MIT */
#include "differ/type_uses.h"

#include <string.h>

#include "common/error.h"
#include "differ/die.h"

#define MAX_DEPTH 64 /* of entries in entries, of types of types */

/* An inlined function lives in the frame of the function that has it. */
struct inlining {
	const char *inner, *outer;
};

struct walk {
	struct vg_dies dies;
	const struct vg_type *type;
	struct vg_type_uses *uses;
	VG_LIST(struct inlining) inlinings;
};

static bool is_kind(Dwarf_Half tag, const char *kind)
{
	return (tag == DW_TAG_structure_type && !strcmp(kind, "struct")) ||
	       (tag == DW_TAG_union_type && !strcmp(kind, "union")) ||
	       (tag == DW_TAG_typedef && !strcmp(kind, "typedef"));
}

/* What has the same objects as the type that it refers to. */
static bool is_transparent(Dwarf_Half tag)
{
	return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
	       tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type || tag == DW_TAG_array_type;
}

/* Is the type of this entry the one that is looked for, or an array of it? */
static bool refers(struct walk *walk, Dwarf_Die die)
{
	Dwarf_Die type = vg_die_referred(&walk->dies, die, DW_AT_type);
	bool found = false;

	for (unsigned depth = 0; type && !found && depth < MAX_DEPTH; depth++) {
		Dwarf_Half tag = vg_die_tag(&walk->dies, type);
		Dwarf_Die next = NULL;

		found = is_kind(tag, walk->type->kind) &&
			!strcmp(vg_die_name(&walk->dies, type), walk->type->name);
		if (is_transparent(tag))
			next = vg_die_referred(&walk->dies, type, DW_AT_type);
		vg_die_release(&walk->dies, type);
		type = next;
	}
	vg_die_release(&walk->dies, type);
	return found;
}

static const char *function_name(struct walk *walk, Dwarf_Die die)
{
	const char *name = vg_die_name(&walk->dies, die);
	Dwarf_Die origin = *name ? NULL : vg_die_referred(&walk->dies, die, DW_AT_abstract_origin);

	if (origin)
		name = vg_die_name(&walk->dies, origin);
	vg_die_release(&walk->dies, origin);
	return name;
}

static bool add_function(struct walk *walk, const char *name)
{
	for (size_t i = 0; i < walk->uses->functions.count; i++)
		if (!strcmp(walk->uses->functions.at[i], name))
			return false;
	if (!vg_list_push(walk->dies.arena, &walk->uses->functions, name))
		walk->dies.out_of_memory = true;
	return true;
}

static void add_variable(struct walk *walk, Dwarf_Die die, const char *function)
{
	const char *name = vg_die_name(&walk->dies, die);

	add_function(walk, function);
	if (!vg_list_push(walk->dies.arena, &walk->uses->variables, name))
		walk->dies.out_of_memory = true;
}

static void take(struct walk *walk, Dwarf_Die die, Dwarf_Half tag, const char *function)
{
	struct inlining inlining = {.outer = function};

	if (tag == DW_TAG_inlined_subroutine) {
		inlining.inner = function_name(walk, die);
		if (function && !vg_list_push(walk->dies.arena, &walk->inlinings, inlining))
			walk->dies.out_of_memory = true;
	}
	if (is_transparent(tag) || !refers(walk, die))
		return;
	if (tag == DW_TAG_variable && function)
		add_variable(walk, die, function);
	else
		walk->uses->is_elsewhere = true;
}

static void walk_children(struct walk *walk, Dwarf_Die parent, const char *function, unsigned depth)
{
	if (depth > MAX_DEPTH)
		walk->uses->is_elsewhere = true;
	for (Dwarf_Die die = depth > MAX_DEPTH ? NULL : vg_die_child(&walk->dies, parent); die;
	     die = vg_die_next(&walk->dies, die)) {
		Dwarf_Half tag = vg_die_tag(&walk->dies, die);

		take(walk, die, tag, function);
		walk_children(walk, die,
			      tag == DW_TAG_subprogram ? function_name(walk, die) : function,
			      depth + 1);
	}
}

static void add_outer_functions(struct walk *walk)
{
	bool grown = true;

	while (grown) {
		grown = false;
		for (size_t i = 0; i < walk->inlinings.count; i++)
			for (size_t k = 0; k < walk->uses->functions.count; k++)
				if (!strcmp(walk->uses->functions.at[k],
					    walk->inlinings.at[i].inner))
					grown |= add_function(walk, walk->inlinings.at[i].outer);
	}
}

struct vg_error *vg_type_uses_read(struct vg_arena *arena, const char *path,
				   const struct vg_type *type, struct vg_type_uses *uses)
{
	struct walk walk = {.type = type, .uses = uses};
	Dwarf_Die die;

	*uses = (struct vg_type_uses){0};
	VG_TRY(vg_dies_open(arena, path, &walk.dies));
	if (!walk.dies.debug)
		uses->is_elsewhere = true;
	while ((die = vg_dies_next_unit(&walk.dies))) {
		walk_children(&walk, die, NULL, 0);
		vg_die_release(&walk.dies, die);
	}
	add_outer_functions(&walk);
	return vg_dies_close(&walk.dies);
}
