/* SPDX-License-Identifier: MIT */
/*
 * Data that is alive: a patch replaces code, and what the program has in memory stays. So variables
 * keep their initial values, constructors their effects, resolvers their choices.
 */
#include <string.h>

#include "common/error.h"
#include "differ/safety.h"

/* Undefined symbols have no type in an object; the target knows. */
static bool is_function(const struct vg_patch_build *build, const struct vg_item *item)
{
	size_t count;
	const struct vg_symbol **named;

	if (vg_item_is_function(item) || item->kind != VG_ITEM_UNDEFINED)
		return vg_item_is_function(item);
	named = vg_target_named(build->target, item->name, &count);
	for (size_t i = 0; i < count; i++)
		if (GELF_ST_TYPE(named[i]->sym.st_info) == STT_FUNC ||
		    GELF_ST_TYPE(named[i]->sym.st_info) == STT_GNU_IFUNC)
			return true;
	return false;
}

static bool has_function_pointers(const struct vg_patch_build *build, const struct vg_item *item)
{
	size_t count;
	struct vg_object_reloc *relocs = vg_item_relocs(item, &count);
	struct vg_item *to;
	int64_t offset;

	for (size_t i = 0; i < count; i++)
		if (relocs[i].type == R_X86_64_64 && vg_reloc_target(&relocs[i], 0, &to, &offset) &&
		    !offset && is_function(build, to))
			return true;
	return false;
}

static bool is_used_by_data(const struct vg_item *item)
{
	for (size_t i = 0; i < item->user_count; i++)
		if (item->users[i]->section && !vg_item_is_function(item->users[i]) &&
		    item->users[i]->section->type != SHT_NULL &&
		    strcmp(item->users[i]->section->name, ".eh_frame"))
			return true;
	return false;
}

/* A constant that only code refers to: that code counts as changed and brings a copy. */
static bool can_be_copied(const struct vg_item *pre, const struct vg_item *post)
{
	return vg_item_is_replaceable_constant(pre) && vg_item_is_replaceable_constant(post) &&
	       !is_used_by_data(pre) && !is_used_by_data(post);
}

static struct vg_error *refuse_value(struct vg_patch_build *build, struct vg_pair *pair,
				     const struct vg_item *pre, const struct vg_item *post)
{
	if (has_function_pointers(build, pre) || has_function_pointers(build, post))
		return vg_refuse(build, VG_RULE_OPS_TABLE, NULL, vg_place_of(build, pair, post),
				 "the table of functions %s changes, but the program already "
				 "uses the one that it has; change the functions in it instead",
				 post->name);
	return vg_refuse(build, VG_RULE_DATA, NULL, vg_place_of(build, pair, post),
			 "the initial value of %s changes, but the program has the variable "
			 "already; set it from a hook, or --allow data if the old value may stay",
			 post->name);
}

static struct vg_error *refuse_removed(struct vg_patch_build *build, struct vg_pair *pair,
				       const struct vg_item *pre, const char *what)
{
	return vg_refuse(build, VG_RULE_REMOVED, NULL, vg_place_of(build, pair, pre),
			 "the variable %s %s, but the program has it and its value; keep it, or "
			 "--allow removed if nothing depends on it",
			 pre->base, what);
}

/* Tentatively, in several units: one of them still has it. What moved has a twin (moved.c). */
static bool is_defined_elsewhere(const struct vg_patch_build *build, const struct vg_item *pre)
{
	for (size_t i = 0; !vg_item_is_local(pre) && i < build->pair_count; i++) {
		const struct vg_item *item = vg_object_item_named(build->pairs[i].post, pre->name);

		if (item && item->section && item->twin)
			return true;
	}
	return false;
}

/* A static that may still be there under another number is told apart where it is used. */
static bool may_be_renumbered(const struct vg_pair *pair, const struct vg_item *pre)
{
	for (size_t i = 0; i < pair->post->item_count; i++)
		if (pair->post->items[i]->ambiguous &&
		    !strcmp(pair->post->items[i]->base, pre->base))
			return true;
	return false;
}

static bool has_type(const struct vg_type_table *types, const struct vg_item *item,
		     const char *type)
{
	for (size_t i = 0; i < types->declarations.count; i++)
		if (!strcmp(types->declarations.at[i].name, item->source) &&
		    !strcmp(types->declarations.at[i].type, type))
			return true;
	return false;
}

/* Of another type and the same size: what is in it would be read as something else. */
static bool is_retyped(const struct vg_patch_build *build, struct vg_pair *pair,
		       const struct vg_item *pre, const struct vg_item *post)
{
	const struct vg_type_table *before = pair->pre_types;
	const struct vg_type_table *after = vg_pair_of(build, pair, post)->post_types;

	if (!after->has_debug_information || !vg_type_table_declaration(after, post->source))
		return false;
	for (size_t i = 0; i < before->declarations.count; i++)
		if (!strcmp(before->declarations.at[i].name, pre->source) &&
		    !has_type(after, post, before->declarations.at[i].type))
			return true;
	return false;
}

static struct vg_error *check_variable(struct vg_patch_build *build, struct vg_pair *pair,
				       struct vg_item *pre)
{
	struct vg_item *post = pre->twin;
	bool same;

	if (!post)
		return vg_item_is_replaceable_constant(pre) || may_be_renumbered(pair, pre) ||
				       is_defined_elsewhere(build, pre)
			       ? NULL
			       : refuse_removed(build, pair, pre, "is removed");
	if (!post->section)
		return NULL;
	if (vg_section_is_thread_local(pre->section) != vg_section_is_thread_local(post->section) ||
	    ((pre->size != post->size || is_retyped(build, pair, pre, post)) &&
	     !can_be_copied(pre, post)))
		return refuse_removed(build, pair, pre, "changes its type");
	VG_TRY(vg_same_data(build->decoder, pre, 0, post, 0,
			    pre->size < post->size ? pre->size : post->size, &same));
	if (same && pre->size == post->size)
		return NULL;
	if (can_be_copied(pre, post) && !has_function_pointers(build, pre) &&
	    !has_function_pointers(build, post))
		return NULL;
	return refuse_value(build, pair, pre, post);
}

static bool is_constructor_list(const struct vg_object_section *section)
{
	static const char *const names[] = {".init_array", ".preinit_array", ".fini_array",
					    ".ctors", ".dtors"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(section->name, names[i], strlen(names[i])))
			return true;
	return false;
}

static const struct vg_object_section *section_like(const struct vg_object *object,
						    const struct vg_object_section *wanted)
{
	for (size_t i = 1; i < object->section_count; i++)
		if (!strcmp(object->sections[i].name, wanted->name))
			return &object->sections[i];
	return NULL;
}

static bool is_same_list(const struct vg_object_section *pre, const struct vg_object_section *post)
{
	if (!post || pre->reloc_count != post->reloc_count || pre->size != post->size)
		return false;
	for (size_t i = 0; i < pre->reloc_count; i++) {
		struct vg_item *left, *right;
		int64_t a, b;

		if (!vg_reloc_target(&pre->relocs[i], 0, &left, &a) ||
		    !vg_reloc_target(&post->relocs[i], 0, &right, &b) || left->twin != right ||
		    a != b)
			return false;
	}
	return true;
}

static struct vg_error *refuse_constructor(struct vg_patch_build *build, struct vg_pair *pair,
					   const struct vg_item *item, const char *how)
{
	struct vg_source_place place = item ? vg_place_of(build, pair, item)
					    : vg_place_at(build, pair, pair->unit->file, 0);

	return vg_refuse(build, VG_RULE_CONSTRUCTOR, item ? item->base : NULL, place,
			 "the constructor or destructor %s %s, but constructors run when a program "
			 "starts, and this one has started; use a hook",
			 item ? item->base : "of this unit", how);
}

static bool is_changed(const struct vg_patch_build *build, const struct vg_item *pre)
{
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->pre == pre)
			return true;
	return false;
}

static struct vg_item *nth_entry(const struct vg_object_section *list, size_t i)
{
	struct vg_item *item;
	int64_t offset;

	return list && i < list->reloc_count && vg_reloc_target(&list->relocs[i], 0, &item, &offset)
		       ? item
		       : NULL;
}

/* The first that stands in one list where the other has something else. */
static struct vg_error *refuse_list(struct vg_patch_build *build, struct vg_pair *pair,
				    const struct vg_object_section *pre,
				    const struct vg_object_section *post)
{
	for (size_t i = 0; i < (pre ? pre->reloc_count : 0); i++) {
		struct vg_item *item = nth_entry(pre, i), *other = nth_entry(post, i);

		if (item && (!other || item->twin != other) && !(other && !other->twin))
			return refuse_constructor(build, pair, item, "is gone or moved");
		if (other && !other->twin)
			return refuse_constructor(build, pair, other, "is new");
	}
	return refuse_constructor(build, pair, nth_entry(post, pre ? pre->reloc_count : 0),
				  "is new");
}

/* Destructors are still to come: what they do may change, which they are may not. */
static struct vg_error *check_list(struct vg_patch_build *build, struct vg_pair *pair,
				   const struct vg_object_section *pre)
{
	const struct vg_object_section *post = section_like(pair->post, pre);

	if (!is_same_list(pre, post))
		return refuse_list(build, pair, pre, post);
	if (strstr(pre->name, "fini") || strstr(pre->name, "dtors"))
		return NULL;
	for (size_t i = 0; i < pre->reloc_count; i++) {
		struct vg_item *item = nth_entry(pre, i);

		if (item && is_changed(build, item))
			VG_TRY(refuse_constructor(build, pair, item, "changes"));
	}
	return NULL;
}

static struct vg_error *check_lists(struct vg_patch_build *build, struct vg_pair *pair)
{
	for (size_t i = 1; i < pair->pre->section_count; i++)
		if (is_constructor_list(&pair->pre->sections[i]))
			VG_TRY(check_list(build, pair, &pair->pre->sections[i]));
	for (size_t i = 1; i < pair->post->section_count; i++)
		if (is_constructor_list(&pair->post->sections[i]) &&
		    !section_like(pair->pre, &pair->post->sections[i]))
			VG_TRY(refuse_list(build, pair, NULL, &pair->post->sections[i]));
	return NULL;
}

static bool is_resolver(const struct vg_item *item)
{
	for (size_t i = 1; i < item->object->symbol_count; i++)
		if (item->object->symbols[i].item == item &&
		    item->object->symbols[i].type == STT_GNU_IFUNC)
			return true;
	return false;
}

static struct vg_error *check_resolver(struct vg_patch_build *build, const struct vg_change *change)
{
	if (!is_resolver(change->post) && !is_resolver(change->pre))
		return NULL;
	return vg_refuse(build, VG_RULE_IFUNC, change->post->source,
			 vg_place_of(build, change->pair, change->post),
			 "%s chooses an implementation (IFUNC) and has done so already; change "
			 "the implementations instead",
			 change->post->source);
}

/* Even one that nothing of the patch uses: other units will be built to use it. */
static struct vg_error *check_new_item(struct vg_patch_build *build, struct vg_pair *pair,
				       const struct vg_item *post)
{
	if (post->twin || post->kind != VG_ITEM_VARIABLE ||
	    !vg_section_is_thread_local(post->section))
		return NULL;
	return vg_refuse(build, VG_RULE_THREAD_LOCAL, NULL, vg_place_of(build, pair, post),
			 "the thread-local variable %s is new, and running threads have no room "
			 "for it; use a shadow variable or an array by thread",
			 post->name);
}

struct vg_error *vg_safety_check_data(struct vg_patch_build *build, struct vg_pair *pair)
{
	for (size_t i = 0; i < pair->pre->item_count; i++)
		if (pair->pre->items[i]->kind == VG_ITEM_VARIABLE)
			VG_TRY(check_variable(build, pair, pair->pre->items[i]));
	for (size_t i = 0; i < pair->post->item_count; i++)
		VG_TRY(check_new_item(build, pair, pair->post->items[i]));
	VG_TRY(check_lists(build, pair));
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->pair == pair)
			VG_TRY(check_resolver(build, build->changes.at[i]));
	return NULL;
}
