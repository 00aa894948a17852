/* SPDX-License-Identifier: MIT */
#include "differ/share.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_words.h"

/* What is known of one function of the target. */
struct claim {
	size_t owners;
	enum vg_match_how how;
	bool ambiguous;
};

struct measure {
	struct vg_arena arena; /* of the target */
	struct vg_target *target;
	struct vg_decoder *decoder;
	struct claim *claims; /* beside target->functions */
	size_t objects;
};

static struct claim *claim_at(struct measure *measure, uint64_t start)
{
	const struct vg_target *target = measure->target;
	size_t low = 0, high = target->functions.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (target->functions.at[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == target->functions.count || target->functions.at[low].start != start)
		return NULL;
	return &measure->claims[low];
}

static void note(struct measure *measure, const struct vg_match *match)
{
	struct claim *claim;

	for (size_t i = 0; i < match->place_count; i++)
		if ((claim = claim_at(measure, match->places[i])))
			claim->ambiguous = true;
	claim = match->found ? claim_at(measure, match->address) : NULL;
	if (!claim)
		return;
	claim->owners++;
	claim->how = match->how;
}

/* Code that cannot be decoded, an assembler's data for instance, says nothing about others. */
static struct vg_error *match_item(struct measure *measure, struct vg_matcher *matcher,
				   struct vg_item *item)
{
	struct vg_match *match;
	struct vg_error *error = vg_match_function(matcher, item, item->object, &match);

	if (error && vg_error_code(error) == VG_REFUSED) {
		vg_error_free(error);
		return NULL;
	}
	if (!error)
		note(measure, match);
	return error;
}

static struct vg_error *match_items(struct measure *measure, struct vg_arena *arena,
				    struct vg_object *object)
{
	struct vg_matcher matcher = {
		.arena = arena, .decoder = measure->decoder, .target = measure->target};

	for (size_t i = 0; i < object->item_count; i++)
		if (vg_item_is_function(object->items[i]) && object->items[i]->size)
			VG_TRY(match_item(measure, &matcher, object->items[i]));
	return NULL;
}

/* As the compiler was given it: symbol tables scope static names by it. */
static const char *source_of(const struct vg_object *object)
{
	for (size_t i = 0; i < object->symbol_count; i++)
		if (object->symbols[i].type == STT_FILE && *object->symbols[i].name)
			return object->symbols[i].name;
	return object->path;
}

static struct vg_error *match_object(struct measure *measure, const char *path)
{
	struct vg_arena arena = {0};
	struct vg_object *object = NULL;
	struct vg_error *error = vg_object_read(&arena, path, path, &object);

	if (!error) {
		measure->objects++;
		object->file = source_of(object);
		error = match_items(measure, &arena, object);
	} else if (vg_error_code(error) == VG_REFUSED) {
		vg_error_free(error);
		error = NULL;
	}
	vg_object_close(object);
	vg_arena_clear(&arena);
	return error;
}

static struct vg_error *match_path(struct measure *measure, char *path)
{
	char *const roots[] = {path, NULL};
	struct vg_error *error = NULL;
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

	if (!fts)
		return vg_error_errno(VG_USAGE, errno, "cannot read %s", path);
	for (FTSENT *entry; !error && (entry = fts_read(fts));) {
		bool named = entry->fts_level == FTS_ROOTLEVEL;

		if (named && (entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR))
			error = vg_error_errno(VG_USAGE, entry->fts_errno, "cannot read %s", path);
		else if (entry->fts_info == FTS_F && (named || vg_ends_with(entry->fts_name, ".o")))
			error = match_object(measure, entry->fts_path);
	}
	fts_close(fts);
	return error;
}

static void add(struct vg_share_count *count, const struct vg_span *span)
{
	count->functions++;
	count->bytes += span->end - span->start;
}

static void sum_up(const struct measure *measure, struct vg_share *share)
{
	for (size_t i = 0; i < measure->target->functions.count; i++) {
		const struct vg_span *span = &measure->target->functions.at[i];
		const struct claim *claim = &measure->claims[i];

		add(&share->all, span);
		if (claim->owners == 1) {
			add(&share->unique, span);
			add(&share->by[claim->how], span);
		} else if (claim->owners > 1) {
			add(&share->contested, span);
		} else {
			add(claim->ambiguous ? &share->ambiguous : &share->unknown, span);
		}
	}
	share->objects = measure->objects;
}

static struct vg_error *run(struct measure *measure, char *const *paths, size_t count,
			    struct vg_share *share)
{
	const struct vg_elf *elf = measure->target->elf;

	measure->claims = vg_arena_alloc(&measure->arena, measure->target->functions.count + 1,
					 sizeof(*measure->claims));
	share->build_id = malloc(2 * elf->build_id_bytes + 1);
	if (!measure->claims || !share->build_id)
		return vg_error_no_memory();
	vg_build_id_text(elf->build_id, elf->build_id_bytes, share->build_id);
	VG_TRY(vg_decoder_open(&measure->decoder));
	for (size_t i = 0; i < count; i++)
		VG_TRY(match_path(measure, paths[i]));
	sum_up(measure, share);
	return NULL;
}

struct vg_error *vg_share_measure(const char *target, const char *symbols, char *const *paths,
				  size_t count, struct vg_share *share)
{
	struct measure measure = {0};
	struct vg_error *error = vg_target_open(&measure.arena, target, symbols, &measure.target);

	*share = (struct vg_share){0};
	if (!error)
		error = run(&measure, paths, count, share);
	vg_decoder_close(measure.decoder);
	vg_target_close(measure.target);
	vg_arena_clear(&measure.arena);
	return error;
}

void vg_share_clear(struct vg_share *share)
{
	free(share->build_id);
	*share = (struct vg_share){0};
}
