/* SPDX-License-Identifier: MIT */
/*
 * Why a section of an object is not in the target, said so that a person can find the cause:
 *
 *   1. A function of the section that is at exactly one place, the anchor, tells where those beside
 *      it would lie.
 *   2. The nearest function in front of the anchor that does not match is the one that differs; it
 *      may be longer or shorter there, but ends where the next one begins. If all of those match,
 *      it is the nearest behind the anchor.
 *
 * Code is compared by the pre object, in which functions refer to each other by relocations: in the
 * plain one, a function that grew moves what its neighbours refer to. A function of the same length
 * elsewhere in a stripped target would tell nothing.
 */
#include "differ/match.h"

#include "common/error.h"
#include "differ/match_check.h"

struct nearest {
	struct vg_matcher *matcher;
	const struct vg_object_section *section; /* of the plain object */
	const struct vg_object *pre;
	size_t anchor; /* index of the item */
	uint64_t base;
};

/* The function of the pre object; NULL: no function, or another one there. */
static struct vg_item *function_at(const struct nearest *nearest, size_t index)
{
	struct vg_item *item = nearest->section->items[index], *twin;

	if (!vg_item_is_function(item) || !item->name)
		return NULL;
	twin = vg_object_item_named(nearest->pre, item->name);
	return twin && vg_item_is_function(twin) && twin->size == item->size ? twin : NULL;
}

static uint64_t expected(const struct nearest *nearest, size_t index)
{
	return nearest->base + nearest->section->items[index]->offset;
}

static struct vg_error *is_anchor(struct vg_matcher *matcher, struct vg_item *item, bool *anchor,
				  uint64_t *address)
{
	size_t count, places = 0;
	const struct vg_span *spans =
		vg_target_functions_of_size(matcher->target, item->size, &count);

	for (size_t i = 0; i < count && places < 2; i++) {
		bool matches;

		VG_TRY(vg_match_try(matcher, item, spans[i].start, &matches));
		if (!matches)
			continue;
		*address = spans[i].start;
		places++;
	}
	*anchor = places == 1;
	return NULL;
}

/* Step 1. */
static struct vg_error *find_anchor(struct nearest *nearest, bool *found)
{
	*found = false;
	for (size_t i = 0; i < nearest->section->item_count && !*found; i++) {
		struct vg_item *item = function_at(nearest, i);
		uint64_t address = 0;

		if (!item || item->size < VG_LEAST_ANCHOR_BYTES)
			continue;
		VG_TRY(is_anchor(nearest->matcher, item, found, &address));
		nearest->anchor = i;
		nearest->base = address - nearest->section->items[i]->offset;
	}
	return NULL;
}

static struct vg_error *differs(const struct nearest *nearest, size_t index,
				struct vg_item **different)
{
	struct vg_item *item = function_at(nearest, index);
	bool matches = true;

	if (item)
		VG_TRY(vg_match_try(nearest->matcher, item, expected(nearest, index), &matches));
	if (!matches)
		*different = item;
	return NULL;
}

/* Where the function begins that ends at or in front of the address; 0: none. */
static uint64_t function_before(const struct vg_target *target, uint64_t address)
{
	uint64_t start = 0;

	for (size_t i = 0; i < target->functions.count; i++)
		if (target->functions.at[i].end <= address && target->functions.at[i].start > start)
			start = target->functions.at[i].start;
	return start;
}

/* Step 2. */
static struct vg_error *find_different(const struct nearest *nearest, struct vg_item **different,
				       uint64_t *address)
{
	uint64_t next = expected(nearest, nearest->anchor);

	for (size_t i = nearest->anchor; i-- > 0 && !*different;) {
		VG_TRY(differs(nearest, i, different));
		if (!*different && function_at(nearest, i))
			next = expected(nearest, i);
	}
	*address = *different ? function_before(nearest->matcher->target, next) : 0;
	for (size_t i = nearest->anchor + 1; i < nearest->section->item_count && !*different; i++) {
		VG_TRY(differs(nearest, i, different));
		*address = expected(nearest, i);
	}
	return NULL;
}

struct vg_error *vg_match_nearest(struct vg_matcher *matcher,
				  const struct vg_object_section *section,
				  const struct vg_object *pre, struct vg_item **different,
				  uint64_t *address)
{
	struct nearest nearest = {.matcher = matcher, .section = section, .pre = pre};
	bool found;

	*different = NULL;
	VG_TRY(find_anchor(&nearest, &found));
	return found ? find_different(&nearest, different, address) : NULL;
}
