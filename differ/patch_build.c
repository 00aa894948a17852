/* SPDX-License-Identifier: MIT */
#include "differ/patch_build.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/earlier.h"
#include "differ/safety.h"

static struct vg_error *refuse_unmatched(struct vg_patch_build *build, struct vg_pair *pair,
					 const struct vg_item *item, const struct vg_match *match)
{
	struct vg_error *error;

	if (pair->unit->lto_dropped && !strcmp(match->rule, VG_RULE_MISMATCH))
		VG_TRY(vg_safety_refuse_lto(build, pair, item));
	if (!strcmp(match->rule, VG_RULE_MISMATCH))
		VG_TRY(vg_safety_check_other_compiler(build, pair));
	error = vg_refuse(build, match->rule, item->source, vg_place_of(build, pair, item), "%s",
			  match->why);

	/* No human can vouch for bytes that are not there. */
	return error ?: vg_error_refuse(match->rule, "%s: %s", pair->unit->file, match->why);
}

static struct vg_error *match_item(struct vg_patch_build *build, struct vg_pair *pair,
				   struct vg_item *pre)
{
	struct vg_match *match;

	VG_TRY(vg_match_old(build, pair, pre, &match));
	if (!match->found)
		return refuse_unmatched(build, pair, pre, match);
	vg_explain(build, "%s: the old code of %s is at 0x%llx, %llu bytes", pair->unit->file,
		   pre->name, (unsigned long long)match->address, (unsigned long long)match->bytes);
	return NULL;
}

/* Threads may stand in a piece of the old code that was cut off: its place must be known too. */
static bool is_old_part(const struct vg_item *pre, const struct vg_item *part)
{
	if (!vg_part_belongs_to(part, pre))
		return false;
	return strstr(part->name, ".cold") || !part->twin || part->twin->comparison != VG_SAME;
}

static struct vg_error *match_change(struct vg_patch_build *build, struct vg_change *change)
{
	struct vg_item *pre = change->pre;

	VG_TRY(match_item(build, change->pair, pre));
	change->match = pre->match;
	/* Threads were kept out of the pieces of the code in the target when that was replaced. */
	if (vg_earlier_is_taken(pre))
		return NULL;
	for (size_t i = 0; i < pre->object->item_count; i++)
		if (is_old_part(pre, pre->object->items[i]))
			VG_TRY(match_item(build, change->pair, pre->object->items[i]));
	return NULL;
}

/* What the linker left out of the target cannot run there, in whatever version. */
static struct vg_error *drop_change(struct vg_patch_build *build, const struct vg_change *change,
				    bool *dropped)
{
	struct vg_match *match;

	*dropped = false;
	VG_TRY(vg_match_old(build, change->pair, change->pre, &match));
	if (match->found || !vg_is_dropped(build, change->pre))
		return NULL;
	/* inlined everywhere is no less gone from the symbol table */
	if (change->pair->unit->lto_dropped)
		VG_TRY(vg_safety_refuse_lto(build, change->pair, change->pre));
	*dropped = true;
	return vg_note(build, "%s: %s changes, but is not in %s: its linker dropped it as unused",
		       change->pair->unit->file, change->pre->name, build->target->elf->path);
}

static struct vg_error *match_changes(struct vg_patch_build *build)
{
	size_t kept = 0;

	for (size_t i = 0; i < build->changes.count; i++) {
		bool dropped;

		VG_TRY(drop_change(build, build->changes.at[i], &dropped));
		if (!dropped)
			build->changes.at[kept++] = build->changes.at[i];
	}
	build->changes.count = kept;
	for (size_t i = 0; i < build->changes.count; i++)
		VG_TRY(match_change(build, build->changes.at[i]));
	return NULL;
}

static struct vg_error *make_pieces(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		struct vg_change *change = build->changes.at[i];

		VG_TRY(vg_piece_of(build, change->pair, change->post, 0, &change->piece));
	}
	VG_TRY(vg_hooks_take(build));
	VG_TRY(vg_shadows_take(build));
	VG_TRY(vg_pieces_complete(build));
	VG_TRY(vg_safety_check_records(build));
	VG_TRY(vg_hooks_check(build));
	for (size_t i = 0; i < build->changes.count; i++)
		VG_TRY(vg_entry_displace(build, build->changes.at[i]));
	return vg_unwind_build(build);
}

struct vg_error *vg_patch_build_run(struct vg_patch_build *build, uint8_t **bytes, size_t *count)
{
	struct vg_image image;

	*bytes = NULL;
	*count = 0;
	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(vg_correlate(build->decoder, build->pairs[i].pre, build->pairs[i].post));
	VG_TRY(vg_moved_find(build));
	VG_TRY(vg_earlier_take(build));
	VG_TRY(vg_changes_find(build));
	VG_TRY(vg_earlier_check_changes(build));
	VG_TRY(vg_variants_choose(build));
	VG_TRY(vg_safety_check(build));
	if (build->changes.count)
		VG_TRY(vg_safety_check_compiler(build));
	VG_TRY(match_changes(build));
	VG_TRY(vg_safety_check_lto(build));
	VG_TRY(vg_safety_check_folded(build));
	VG_TRY(vg_safety_check_callers(build));
	if (!build->changes.count)
		return NULL;
	VG_TRY(make_pieces(build));
	VG_TRY(vg_image_lay_out(build, &image));
	return vg_emit(build, &image, bytes, count);
}
