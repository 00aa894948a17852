/* SPDX-License-Identifier: MIT */
/*
 * Is code that lies at one place only enough to tell which function that is? Thunks of a few bytes
 * are the same in every program: QEMU's gd_refresh(), of a module, has the code of
 * qemu_unlink_pidfile(), of the program. What lies beside a function in its object must lie
 * beside it in the target, until there is enough of it.
 */
#include "common/error.h"
#include "differ/match.h"
#include "differ/match_check.h"

static bool find_frame(const struct vg_item *item, size_t *index)
{
	const struct vg_frames *frames = &item->object->frames;

	for (*index = 0; *index < frames->count; ++*index)
		if (frames->at[*index].item == item)
			return true;
	return false;
}

static struct vg_error *matches_beside(struct vg_matcher *matcher, const struct vg_frame *frame,
				       const struct vg_span *span, bool *matches)
{
	*matches = span->end - span->start == frame->size && !frame->item->is_undecodable;
	return *matches ? vg_match_try(matcher, frame->item, span->start, matches) : NULL;
}

/* Adds up what matches from the function on, in one direction. */
static struct vg_error *walk(struct vg_matcher *matcher, const struct vg_frames *frames,
			     size_t index, size_t place, int step, uint64_t *bytes)
{
	bool matches = true;

	while (matches && *bytes < VG_LEAST_ANCHOR_BYTES) {
		index += (size_t)step;
		place += (size_t)step;
		if (index >= frames->count || place >= matcher->target->functions.count)
			break;
		VG_TRY(matches_beside(matcher, &frames->at[index], &matcher->target->frames[place],
				      &matches));
		if (matches)
			*bytes += frames->at[index].size;
	}
	return NULL;
}

struct vg_error *vg_match_is_evident(struct vg_matcher *matcher, const struct vg_item *item,
				     uint64_t address, bool *evident)
{
	const struct vg_span *span = vg_target_function_at(matcher->target, address);
	uint64_t bytes = item->size;
	size_t index;

	if (bytes < VG_LEAST_ANCHOR_BYTES && span && find_frame(item, &index)) {
		VG_TRY(walk(matcher, &item->object->frames, index, span->frame, 1, &bytes));
		VG_TRY(walk(matcher, &item->object->frames, index, span->frame, -1, &bytes));
	}
	*evident = bytes >= VG_LEAST_ANCHOR_BYTES;
	return NULL;
}
