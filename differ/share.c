/* SPDX-License-Identifier: MIT */
/*
 * All objects are kept, and matched in rounds: what one of them tells of the names that it refers
 * to may decide between the places of another.
 */
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
	const struct vg_item *owner; /* or one that it could be */
	size_t owners;
	enum vg_match_how how;
	bool alone; /* found before others were asked */
};

struct measure {
	struct vg_arena arena; /* of target and objects */
	struct vg_target *target;
	struct vg_facts facts;
	struct vg_matcher matcher;
	VG_LIST(struct vg_object *) objects;
	struct claim *claims; /* beside target->functions */
	size_t found;	      /* matches */
};

static struct claim *claim_at(const struct measure *measure, uint64_t start)
{
	const struct vg_span *function = vg_target_function_at(measure->target, start);

	return function ? &measure->claims[function - measure->target->functions.at] : NULL;
}

/* Code that cannot be decoded, an assembler's data for instance, says nothing about others. */
static struct vg_error *match_item(struct measure *measure, struct vg_item *item)
{
	struct vg_match *match;
	struct vg_error *error;

	if (item->match && (item->match->found || item->match->place_count < 2))
		return NULL;
	item->match = NULL;
	error = vg_match_function(&measure->matcher, item, item->object, &match);
	if (error && vg_error_code(error) == VG_REFUSED) {
		vg_error_free(error);
		return NULL;
	}
	if (!error)
		measure->found += match->found;
	return error;
}

static bool is_matched(const struct vg_item *item)
{
	return vg_item_is_function(item) && item->size;
}

static struct vg_error *match_items(struct measure *measure, struct vg_object *object)
{
	VG_TRY(vg_match_frames(&measure->matcher, object));
	for (size_t i = 0; i < object->item_count; i++)
		if (is_matched(object->items[i]))
			VG_TRY(match_item(measure, object->items[i]));
	return NULL;
}

static void note_alone(const struct measure *measure, const struct vg_object *object)
{
	for (size_t i = 0; i < object->item_count; i++) {
		const struct vg_match *match = object->items[i]->match;
		struct claim *claim =
			match && match->found ? claim_at(measure, match->address) : NULL;

		if (claim)
			claim->alone = true;
	}
}

/* Each by itself, as `vgraft build` matches the units of a diff. */
static struct vg_error *match_alone(struct measure *measure)
{
	measure->facts.is_silent = true;
	for (size_t i = 0; i < measure->objects.count; i++) {
		VG_TRY(match_items(measure, measure->objects.at[i]));
		note_alone(measure, measure->objects.at[i]);
	}
	measure->facts.is_silent = false;
	return NULL;
}

/* Until a round teaches nothing new. */
static struct vg_error *match_together(struct measure *measure)
{
	size_t before;

	do {
		before = measure->found + measure->facts.count;
		for (size_t i = 0; i < measure->objects.count; i++)
			VG_TRY(match_items(measure, measure->objects.at[i]));
	} while (measure->found + measure->facts.count > before);
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

static struct vg_error *read_object(struct measure *measure, const char *path)
{
	struct vg_object *object = NULL;
	struct vg_error *error = vg_object_read(&measure->arena, path, path, &object);

	if (error && vg_error_code(error) == VG_REFUSED) {
		vg_error_free(error);
		vg_object_close(object);
		return NULL;
	}
	if (!error) {
		object->file = source_of(object);
		vg_elf_release_fd(object->elf);
	}
	if (object && !vg_list_push(&measure->arena, &measure->objects, object)) {
		vg_object_close(object);
		return error ?: vg_error_no_memory();
	}
	return error;
}

static struct vg_error *read_path(struct measure *measure, char *path)
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
			error = read_object(measure, entry->fts_path);
	}
	fts_close(fts);
	return error;
}

static bool is_copy(const struct vg_object *a, const struct vg_object *b)
{
	if (strcmp(a->file, b->file) || a->frames.count != b->frames.count)
		return false;
	for (size_t i = 0; i < a->frames.count; i++)
		if (a->frames.at[i].size != b->frames.at[i].size ||
		    strcmp(a->frames.at[i].item->name, b->frames.at[i].item->name))
			return false;
	return true;
}

/* Of a source that is compiled for several programs, or by a name that the target exports. */
static bool is_same_function(const struct vg_item *a, const struct vg_item *b)
{
	if (strcmp(a->name, b->name))
		return false;
	return is_copy(a->object, b->object) ||
	       (a->match->how == VG_MATCHED_BY_NAME && b->match->how == VG_MATCHED_BY_NAME);
}

static void claim_places(const struct measure *measure, const struct vg_item *item)
{
	const struct vg_match *match = item->match;
	struct claim *claim;

	for (size_t i = 0; match && i < match->place_count; i++)
		if ((claim = claim_at(measure, match->places[i])) && !claim->owner)
			claim->owner = item;
	claim = match && match->found ? claim_at(measure, match->address) : NULL;
	if (!claim)
		return;
	claim->owners += !claim->owners || !is_same_function(claim->owner, item);
	claim->owner = item;
	claim->how = match->how;
}

static void claim_functions(const struct measure *measure)
{
	for (size_t i = 0; i < measure->objects.count; i++) {
		const struct vg_object *object = measure->objects.at[i];

		for (size_t k = 0; k < object->item_count; k++)
			claim_places(measure, object->items[k]);
	}
}

static void add(struct vg_share_count *count, const struct vg_share_function *function)
{
	count->functions++;
	count->bytes += function->bytes;
}

static struct vg_error *name_function(struct vg_share *share, const struct claim *claim,
				      struct vg_share_function *function)
{
	if (!claim->owner)
		return NULL;
	function->name = vg_arena_strdup(&share->arena, claim->owner->name);
	function->file = vg_arena_strdup(&share->arena, claim->owner->object->file);
	return function->name && function->file ? NULL : vg_error_no_memory();
}

static enum vg_share_state state_of(const struct claim *claim)
{
	if (claim->owners)
		return claim->owners == 1 ? VG_SHARE_UNIQUE : VG_SHARE_CONTESTED;
	return claim->owner ? VG_SHARE_AMBIGUOUS : VG_SHARE_UNKNOWN;
}

static struct vg_error *sum_up(const struct measure *measure, struct vg_share *share)
{
	share->objects = measure->objects.count;
	for (size_t i = 0; i < measure->target->functions.count; i++) {
		const struct vg_span *span = &measure->target->functions.at[i];
		const struct claim *claim = &measure->claims[i];
		struct vg_share_function *function = &share->functions[i];

		*function = (struct vg_share_function){
			.address = span->start,
			.bytes = span->end - span->start,
			.state = state_of(claim),
			.how = claim->how,
		};
		VG_TRY(name_function(share, claim, function));
		add(&share->all, function);
		add(&share->in[function->state], function);
		if (function->state != VG_SHARE_UNIQUE)
			continue;
		add(&share->by[function->how], function);
		if (claim->alone)
			add(&share->alone, function);
	}
	return NULL;
}

static struct vg_error *run(struct measure *measure, char *const *paths, size_t count,
			    struct vg_share *share)
{
	const struct vg_elf *elf = measure->target->elf;
	size_t functions = measure->target->functions.count;

	measure->claims = vg_arena_alloc(&measure->arena, functions + 1, sizeof(*measure->claims));
	share->functions = vg_arena_alloc(&share->arena, functions + 1, sizeof(*share->functions));
	share->build_id = vg_arena_alloc(&share->arena, 1, 2 * elf->build_id_bytes + 1);
	if (!measure->claims || !share->build_id || !share->functions)
		return vg_error_no_memory();
	vg_build_id_text(elf->build_id, elf->build_id_bytes, share->build_id);
	VG_TRY(vg_decoder_open(&measure->matcher.decoder));
	for (size_t i = 0; i < count; i++)
		VG_TRY(read_path(measure, paths[i]));
	VG_TRY(match_alone(measure));
	VG_TRY(match_together(measure));
	claim_functions(measure);
	return sum_up(measure, share);
}

struct vg_error *vg_share_measure(const char *target, const char *symbols, char *const *paths,
				  size_t count, struct vg_share *share)
{
	struct measure measure = {.facts.arena = &measure.arena};
	struct vg_error *error = vg_target_open(&measure.arena, target, symbols, &measure.target);

	*share = (struct vg_share){0};
	measure.matcher = (struct vg_matcher){
		.arena = &measure.arena, .target = measure.target, .facts = &measure.facts};
	if (!error)
		error = run(&measure, paths, count, share);
	for (size_t i = 0; i < measure.objects.count; i++)
		vg_object_close(measure.objects.at[i]);
	vg_decoder_close(measure.matcher.decoder);
	vg_facts_close(&measure.facts);
	vg_target_close(measure.target);
	vg_arena_clear(&measure.arena);
	return error;
}

void vg_share_clear(struct vg_share *share)
{
	vg_arena_clear(&share->arena);
	*share = (struct vg_share){0};
}
