/* SPDX-License-Identifier: MIT */
/*
 * Which functions are in the patch: those of the post object whose code, or what it refers to, is
 * not that of their twin. New functions join when changed code refers to them (piece.c), and new
 * global ones of another unit likewise.
 */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

bool vg_is_included(const struct vg_patch_build *build, const struct vg_item *post)
{
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->post == post)
			return true;
	return post->piece;
}

static struct vg_error *add_change(struct vg_patch_build *build, struct vg_pair *pair,
				   struct vg_item *post, const struct vg_difference *difference)
{
	struct vg_change *change = vg_arena_alloc(build->arena, 1, sizeof(*change));

	if (!change)
		return vg_error_no_memory();
	change->pair = pair;
	change->pre = post->twin;
	change->post = post;
	change->difference = *difference;
	return vg_list_push(build->arena, &build->changes, change) ? NULL : vg_error_no_memory();
}

static const char *instruction_text(struct vg_patch_build *build, const struct vg_item *item,
				    const struct vg_line *line, char *text, size_t bytes)
{
	if (!line)
		return "(the end)";
	vg_instruction_text(build->decoder, vg_item_bytes(item) + line->instruction.address,
			    line->instruction.size, line->instruction.address, text, bytes);
	return text;
}

/* "  before: +0x3 \"imull %edi, %edi\"  area.c:6: return side * side;" */
static void explain_side(struct vg_patch_build *build, struct vg_pair *pair,
			 const struct vg_item *item, const struct vg_line *line, const char *side)
{
	/* behind its last instruction a function still has the line of that one */
	uint64_t at = line ? line->instruction.address : item->size - 1;
	char text[160];

	if (!build->request->explain)
		return;
	vg_explain(build, "  %s: +0x%llx \"%s\"  %s", side,
		   (unsigned long long)(line ? at : item->size),
		   instruction_text(build, item, line, text, sizeof(text)),
		   item->size ? vg_explain_line(build, vg_pair_of(build, pair, item), item, at)
			      : "");
}

static void explain_change(struct vg_patch_build *build, struct vg_pair *pair, struct vg_item *post,
			   const struct vg_difference *difference)
{
	vg_explain(build, "%s: %s changed: %s, first at", pair->unit->file, post->name,
		   difference->what);
	explain_side(build, pair, post->twin, difference->pre, "before");
	explain_side(build, pair, post, difference->post, "after ");
}

/* Code that the compiler duplicated or cut off is compared where it is used. */
static bool is_compared(const struct vg_item *post)
{
	return vg_item_is_function(post) && post->twin && !vg_item_is_part(post);
}

static struct vg_error *find_in_pair(struct vg_patch_build *build, struct vg_pair *pair)
{
	struct vg_difference difference;
	bool same;

	for (size_t i = 0; i < pair->post->item_count; i++) {
		struct vg_item *post = pair->post->items[i];

		if (!is_compared(post))
			continue;
		VG_TRY(vg_same_code(build->decoder, post->twin, post, &same, &difference));
		if (same)
			continue;
		explain_change(build, pair, post, &difference);
		VG_TRY(add_change(build, pair, post, &difference));
	}
	return NULL;
}

struct vg_error *vg_changes_find(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(find_in_pair(build, &build->pairs[i]));
	return NULL;
}
