/* SPDX-License-Identifier: MIT */
/*
 * signature and removed: a function that takes other parameters, or is gone, needs other callers.
 * Callers in the units of the diff are compared and replaced with it; here the rest of the target
 * is searched for code and data that refer to the old entry.
 */
#include <string.h>

#include "common/error.h"
#include "differ/safety.h"

static const struct vg_function_type *type_of(const struct vg_type_table *table,
					      const struct vg_item *item)
{
	return vg_type_table_function(table, item->source);
}

static struct vg_error *check_change(struct vg_patch_build *build, const struct vg_change *change)
{
	struct vg_pair *pair = change->pair, *before = vg_pair_of(build, pair, change->pre);
	const struct vg_function_type *pre = type_of(before->pre_types, change->pre);
	const struct vg_function_type *post = type_of(pair->post_types, change->post);
	bool is_called_otherwise = false;
	const char *user;

	if (!pre || !post)
		return NULL;
	if (!strcmp(pre->signature, post->signature)) {
		VG_TRY(vg_safety_convention_changed(build, change, &is_called_otherwise));
		if (!is_called_otherwise)
			return NULL;
	}
	VG_TRY(vg_safety_find_user(build, change->pre, change->match, &user));
	if (!user)
		return NULL;
	if (is_called_otherwise)
		return vg_refuse(
			build, VG_RULE_SIGNATURE, change->post->source,
			vg_place_at(build, pair, post->file, post->line),
			"%s gets another calling convention by an attribute, but %s, which "
			"stays as it is, uses it; add a function with the new convention "
			"instead, or --allow signature if that never happens",
			change->post->source, user);
	return vg_refuse(build, VG_RULE_SIGNATURE, change->post->source,
			 vg_place_at(build, pair, post->file, post->line),
			 "%s becomes \"%s\" from \"%s\", but %s, which stays as it is, uses it; "
			 "add a function with the new signature instead, or --allow signature if "
			 "that never happens",
			 change->post->source, post->signature, pre->signature, user);
}

/* What has the global name after the change: in the unit that had it, or in another one. */
static const struct vg_item *defined_after(const struct vg_patch_build *build,
					   const struct vg_pair *pair, const char *name)
{
	const struct vg_item *item = vg_object_item_named(pair->post, name);

	for (size_t i = 0; !(item && item->section) && i < build->pair_count; i++)
		item = vg_object_item_named(build->pairs[i].post, name);
	return item && item->section ? item : NULL;
}

static struct vg_error *refuse_removed(struct vg_patch_build *build, struct vg_pair *pair,
				       const struct vg_item *pre, const char *name,
				       const char *user)
{
	if (defined_after(build, pair, name))
		return vg_refuse(build, VG_RULE_REMOVED, name, vg_place_of(build, pair, pre),
				 "%s becomes the name of another function, but %s, which stays as "
				 "it is, uses the one that had it; change the function itself",
				 name, user);
	return vg_refuse(build, VG_RULE_REMOVED, name, vg_place_of(build, pair, pre),
			 "the function %s is removed, but %s, which stays as it is, uses it; keep "
			 "the function, or --allow removed if the old one may stay",
			 name, user);
}

/*
 * removed: a global function is gone from the source, or its name has come to mean another one (an
 * alias of it that becomes a function itself, or the other way round), while code outside the patch
 * calls it.
 */
static struct vg_error *check_removed(struct vg_patch_build *build, struct vg_pair *pair,
				      const struct vg_object_symbol *symbol)
{
	struct vg_item *pre = symbol->item;
	const struct vg_item *post;
	struct vg_match *match;
	const char *user;

	if (!pre || !vg_item_is_function(pre) || symbol->binding == STB_LOCAL)
		return NULL;
	post = defined_after(build, pair, symbol->name);
	if (post && post == pre->twin)
		return NULL;
	VG_TRY(vg_match_old(build, pair, pre, &match));
	if (!match->found)
		return NULL;
	VG_TRY(vg_safety_find_user(build, pre, match, &user));
	return user ? refuse_removed(build, pair, pre, symbol->name, user) : NULL;
}

static struct vg_error *check_all_removed(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		struct vg_pair *pair = &build->pairs[i];

		for (size_t k = 1; k < pair->pre->symbol_count; k++)
			VG_TRY(check_removed(build, pair, &pair->pre->symbols[k]));
	}
	return NULL;
}

struct vg_error *vg_safety_check_callers(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->changes.count; i++)
		VG_TRY(check_change(build, build->changes.at[i]));
	return check_all_removed(build);
}
