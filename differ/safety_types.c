/* SPDX-License-Identifier: MIT */
/*
 * layout: objects of a type live on while the code that knows the type is replaced. So a struct,
 * union or enum that both sides have must look the same on both, unless its objects are variables
 * of replaced functions alone.
 */
#include <string.h>

#include "common/error.h"
#include "differ/safety.h"

/* Objects that are aligned better than they must be do no harm. */
static bool is_same_member(const struct vg_type_member *pre, const struct vg_type_member *post)
{
	return pre->offset == post->offset && pre->bits == post->bits &&
	       pre->align >= post->align && !strcmp(pre->name, post->name) &&
	       !strcmp(pre->type, post->type);
}

/* A new enumerator leaves the old ones what they were. */
static const struct vg_type_member *first_difference(const struct vg_type *pre,
						     const struct vg_type *post)
{
	bool is_enum = !strcmp(pre->kind, "enum");

	for (size_t i = 0; i < pre->members.count || i < post->members.count; i++) {
		if (i >= post->members.count)
			return &pre->members.at[i];
		if (i >= pre->members.count)
			return is_enum ? NULL : &post->members.at[i];
		if (!is_same_member(&pre->members.at[i], &post->members.at[i]))
			return &post->members.at[i];
	}
	return NULL;
}

static bool is_same_type(const struct vg_type *pre, const struct vg_type *post)
{
	return pre->bytes == post->bytes && pre->align >= post->align &&
	       !first_difference(pre, post);
}

static bool is_same_name(const struct vg_type *a, const struct vg_type *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->kind, b->kind);
}

/* Several types may have one name, in several functions: one equal one will do. */
static const struct vg_type *find_counterpart(const struct vg_type_table *table,
					      const struct vg_type *type, bool *is_same)
{
	const struct vg_type *found = NULL;

	*is_same = false;
	for (size_t i = 0; i < table->types.count && !*is_same; i++) {
		if (!is_same_name(&table->types.at[i], type))
			continue;
		*is_same = is_same_type(type, &table->types.at[i]);
		if (!found || *is_same)
			found = &table->types.at[i];
	}
	return found;
}

static struct vg_error *refuse_layout(struct vg_patch_build *build, struct vg_pair *pair,
				      const struct vg_type *pre, const struct vg_type *post)
{
	const struct vg_type_member *member = first_difference(pre, post);
	struct vg_source_place place = vg_place_at(build, pair, member ? member->file : post->file,
						   member ? member->line : post->line);

	return vg_refuse(build, VG_RULE_LAYOUT, NULL, place,
			 "%s %s changes its layout at %s (%llu bytes before, %llu after), but "
			 "objects of it may be alive; keep the layout, for instance with a shadow "
			 "variable, or --allow layout if no live object is touched",
			 pre->kind, pre->name, member && *member->name ? member->name : "its size",
			 (unsigned long long)pre->bytes, (unsigned long long)post->bytes);
}

struct vg_error *vg_safety_check_types(struct vg_patch_build *build, struct vg_pair *pair,
				       const struct vg_type_table *pre,
				       const struct vg_type_table *post)
{
	for (size_t i = 0; i < pre->types.count; i++) {
		const struct vg_type *type = &pre->types.at[i], *other;
		bool is_same, is_on_stacks;

		other = find_counterpart(post, type, &is_same);
		if (!other || is_same)
			continue;
		VG_TRY(vg_safety_is_on_stacks(build, pair, type, &is_on_stacks));
		if (!is_on_stacks)
			VG_TRY(refuse_layout(build, pair, type, other));
	}
	return NULL;
}
