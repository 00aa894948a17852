/* SPDX-License-Identifier: MIT */
/*
 * Globals that the diff moves to another unit. The program has them where they were: the function's
 * old entry leads to the new code, and the variable keeps its memory and its value.
 */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

static bool holds(const struct vg_pair *pair, const struct vg_item *item)
{
	return item->object == pair->pre || item->object == pair->post;
}

struct vg_pair *vg_pair_of(const struct vg_patch_build *build, struct vg_pair *pair,
			   const struct vg_item *item)
{
	for (size_t i = 0; !holds(pair, item) && i < build->pair_count; i++)
		if (holds(&build->pairs[i], item))
			return &build->pairs[i];
	return pair;
}

struct vg_error *vg_match_old(struct vg_patch_build *build, struct vg_pair *pair,
			      struct vg_item *pre, struct vg_match **match)
{
	return vg_match_function(&build->matcher, pre, vg_pair_of(build, pair, pre)->plain, match);
}

static bool is_unpaired_global(const struct vg_item *item)
{
	return item->section && item->name && !item->twin && !vg_item_is_local(item) &&
	       (vg_item_is_function(item) || item->kind == VG_ITEM_VARIABLE);
}

/* The only unit of which one side has the global without the other; NULL if there are several. */
static struct vg_item *only_unpaired(const struct vg_patch_build *build, const char *name,
				     bool is_post)
{
	struct vg_item *found = NULL;

	for (size_t i = 0; i < build->pair_count; i++) {
		const struct vg_pair *pair = &build->pairs[i];
		struct vg_item *item = vg_object_item_named(is_post ? pair->post : pair->pre, name);

		if (!item || !is_unpaired_global(item))
			continue;
		if (found)
			return NULL;
		found = item;
	}
	return found;
}

/* Another program's function of that name is not in the target. */
static struct vg_error *is_in_target(struct vg_patch_build *build, struct vg_pair *pair,
				     struct vg_item *pre, bool *is_there)
{
	struct vg_match *match;

	*is_there = !vg_item_is_function(pre);
	if (*is_there)
		return NULL;
	VG_TRY(vg_match_old(build, pair, pre, &match));
	*is_there = match->found;
	return NULL;
}

static struct vg_error *pair_moved(struct vg_patch_build *build, struct vg_pair *pair,
				   struct vg_item *pre)
{
	struct vg_item *post;
	bool is_there;

	if (!is_unpaired_global(pre) || only_unpaired(build, pre->name, false) != pre)
		return NULL;
	post = only_unpaired(build, pre->name, true);
	if (!post || post->kind != pre->kind)
		return NULL;
	VG_TRY(is_in_target(build, pair, pre, &is_there));
	if (!is_there)
		return NULL;
	vg_explain(build, "%s: %s moves to %s", pair->unit->file, pre->name, post->object->file);
	pre->twin = post;
	post->twin = pre;
	return NULL;
}

struct vg_error *vg_moved_find(struct vg_patch_build *build)
{
	for (size_t i = 0; build->pair_count > 1 && i < build->pair_count; i++)
		for (size_t k = 0; k < build->pairs[i].pre->item_count; k++)
			VG_TRY(pair_moved(build, &build->pairs[i], build->pairs[i].pre->items[k]));
	return NULL;
}
