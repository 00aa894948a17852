/* SPDX-License-Identifier: MIT */
/*
 * Where a whole object lies, by the records of its .eh_frame:
 *
 *   1. The record whose length is the rarest in the target says which places come into question.
 *   2. A place counts if all records have the same length there, all functions of a section give
 *      it the same base, names that the target knows are where it says, and all code matches,
 *      each piece of the object being supposed to lie where this place puts it.
 *   3. Several: data that the code refers to is followed.
 */
#include "differ/match.h"

#include "common/error.h"
#include "differ/match_check.h"

static struct vg_block *block_of(const struct vg_object *object, size_t i)
{
	return &object->frames.at[i].item->section->block;
}

static void drop_supposed(struct vg_object *object)
{
	for (size_t i = 0; i < object->frames.count; i++) {
		struct vg_block *block = block_of(object, i);

		if (block->is_supposed)
			*block = (struct vg_block){.state = VG_BLOCK_UNTRIED};
	}
}

/* Where a place puts the sections. False: it does not put all functions of one together. */
static bool suppose(const struct vg_target *target, struct vg_object *object, size_t first)
{
	for (size_t i = 0; i < object->frames.count; i++) {
		const struct vg_item *item = object->frames.at[i].item;
		struct vg_block *block = block_of(object, i);
		uint64_t base = target->frames[first + i].start - item->offset;
		uint64_t align = item->section->align;

		if (block->state == VG_BLOCK_FOUND && block->base != base)
			return false;
		if (align && base % align)
			return false;
		if (block->state == VG_BLOCK_FOUND)
			continue;
		*block = (struct vg_block){
			.state = VG_BLOCK_FOUND, .base = base, .places = 1, .is_supposed = true};
	}
	return true;
}

static bool has_the_lengths(const struct vg_target *target, const struct vg_object *object,
			    size_t first)
{
	const struct vg_frames *frames = &object->frames;

	if (first + frames->count > target->functions.count)
		return false;
	for (size_t i = 0; i < frames->count; i++) {
		const struct vg_span *span = &target->frames[first + i];

		if (span->end - span->start != frames->at[i].size)
			return false;
	}
	return true;
}

static struct vg_error *has_the_code(struct vg_matcher *matcher, struct vg_object *object,
				     size_t first, bool *matches)
{
	*matches = true;
	for (size_t i = 0; i < object->frames.count && *matches; i++) {
		struct vg_item *item = object->frames.at[i].item;
		uint64_t address = matcher->target->frames[first + i].start;

		*matches = !vg_match_is_elsewhere(matcher, item, address);
		if (*matches && !item->is_undecodable)
			VG_TRY(vg_match_try(matcher, item, address, matches));
	}
	return NULL;
}

/* Step 2. */
static struct vg_error *is_place(struct vg_matcher *matcher, struct vg_object *object, size_t first,
				 bool *matches)
{
	struct vg_error *error = NULL;

	*matches = has_the_lengths(matcher->target, object, first) &&
		   suppose(matcher->target, object, first);
	if (*matches)
		error = has_the_code(matcher, object, first, matches);
	drop_supposed(object);
	return error;
}

/* Step 1. */
static size_t rarest(const struct vg_target *target, const struct vg_frames *frames)
{
	size_t best = 0, least = SIZE_MAX;

	for (size_t i = 0; i < frames->count; i++) {
		size_t count;

		vg_target_functions_of_size(target, frames->at[i].size, &count);
		if (count >= least)
			continue;
		best = i;
		least = count;
	}
	return best;
}

static struct vg_error *find_places(struct vg_matcher *matcher, struct vg_object *object)
{
	struct vg_frames *frames = &object->frames;
	size_t count, anchor = rarest(matcher->target, frames);
	const struct vg_span *spans =
		vg_target_functions_of_size(matcher->target, frames->at[anchor].size, &count);

	for (size_t i = 0; i < count; i++) {
		bool matches = false;

		if (spans[i].frame >= anchor)
			VG_TRY(is_place(matcher, object, spans[i].frame - anchor, &matches));
		if (!matches)
			continue;
		if (!vg_list_grow(object->arena, &frames->places, frames->place_count,
				  &frames->place_room, sizeof(*frames->places)))
			return vg_error_no_memory();
		frames->places[frames->place_count++] = spans[i].frame - anchor;
	}
	return NULL;
}

/* Which of the places agree with what is known by now; none: all are left. */
static struct vg_error *narrow(struct vg_matcher *matcher, struct vg_object *object)
{
	struct vg_frames *frames = &object->frames;
	size_t kept = 0;

	for (size_t i = 0; i < frames->place_count; i++) {
		size_t place = frames->places[i];
		bool matches;

		VG_TRY(is_place(matcher, object, place, &matches));
		if (!matches)
			continue;
		frames->places[i] = frames->places[kept];
		frames->places[kept++] = place;
	}
	if (kept)
		frames->place_count = kept;
	return NULL;
}

/* Step 3. */
static struct vg_error *narrow_by_data(struct vg_matcher *matcher, struct vg_object *object)
{
	unsigned before = matcher->follow;
	struct vg_error *error;

	matcher->follow = VG_FOLLOW_POINTERS;
	error = narrow(matcher, object);
	matcher->follow = before;
	return error;
}

static void conclude(struct vg_matcher *matcher, struct vg_object *object)
{
	struct vg_frames *frames = &object->frames;

	frames->state = frames->place_count ? VG_FRAMES_AMBIGUOUS : VG_FRAMES_NOWHERE;
	if (frames->place_count != 1)
		return;
	frames->state = VG_FRAMES_FOUND;
	suppose(matcher->target, object, frames->places[0]);
	for (size_t i = 0; i < frames->count; i++)
		block_of(object, i)->is_supposed = false;
}

struct vg_error *vg_match_frames(struct vg_matcher *matcher, struct vg_object *object)
{
	struct vg_frames *frames = &object->frames;

	if (frames->state == VG_FRAMES_NOWHERE || frames->state == VG_FRAMES_FOUND)
		return NULL;
	if (frames->state == VG_FRAMES_UNREAD) {
		VG_TRY(vg_object_read_frames(object));
		if (frames->count)
			VG_TRY(find_places(matcher, object));
	}
	if (frames->place_count > 1)
		VG_TRY(narrow_by_data(matcher, object));
	conclude(matcher, object);
	return NULL;
}
