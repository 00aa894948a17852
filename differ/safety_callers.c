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
	const struct vg_pair *pair = change->pair;
	const struct vg_function_type *pre = type_of(pair->pre_types, change->pre);
	const struct vg_function_type *post = type_of(pair->post_types, change->post);
	const char *user;

	if (!pre || !post || !strcmp(pre->signature, post->signature))
		return NULL;
	VG_TRY(vg_safety_find_user(build, change->pre, change->match, &user));
	if (!user)
		return NULL;
	return vg_refuse(build, VG_RULE_SIGNATURE, change->post->source,
			 vg_place_at(build, pair, post->file, post->line),
			 "%s becomes \"%s\" from \"%s\", but %s, which stays as it is, uses it; "
			 "add a function with the new signature instead, or --allow signature if "
			 "that never happens",
			 change->post->source, post->signature, pre->signature, user);
}

static bool is_defined_after(const struct vg_patch_build *build, const struct vg_item *pre)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		const struct vg_item *item = vg_object_item_named(build->pairs[i].post, pre->name);

		if (item && item->section)
			return true;
	}
	return false;
}

/* removed: a global function that is gone from the source while code outside the patch calls it. */
static struct vg_error *check_removed(struct vg_patch_build *build, struct vg_pair *pair,
				      struct vg_item *pre)
{
	struct vg_match *match;
	const char *user;

	if (!vg_item_is_function(pre) || vg_item_is_local(pre) || is_defined_after(build, pre))
		return NULL;
	VG_TRY(vg_match_function(&build->matcher, pre, pair->plain, &match));
	if (!match->found)
		return NULL;
	VG_TRY(vg_safety_find_user(build, pre, match, &user));
	if (!user)
		return NULL;
	return vg_refuse(build, VG_RULE_REMOVED, pre->source, vg_place_of(build, pair, pre),
			 "the function %s is removed, but %s, which stays as it is, uses it; keep "
			 "the function, or --allow removed if the old one may stay",
			 pre->source, user);
}

static struct vg_error *check_all_removed(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		struct vg_pair *pair = &build->pairs[i];

		for (size_t k = 0; k < pair->pre->item_count; k++)
			VG_TRY(check_removed(build, pair, pair->pre->items[k]));
	}
	return NULL;
}

struct vg_error *vg_safety_check_callers(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->changes.count; i++)
		VG_TRY(check_change(build, build->changes.at[i]));
	return check_all_removed(build);
}
