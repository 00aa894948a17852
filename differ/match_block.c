/* SPDX-License-Identifier: MIT */
/*
 * Where a whole section of an object lies in the target, if the whole object's place is not known:
 *
 *   1. the object's main code goes first. The longest function of the section says which places
 * come into question.
 *   2. For any other section, what code that was placed says of it: uhci_handle_td.cold of QEMU is
 * a single call of abort(), as 189 others, but uhci_handle_td jumps to it.
 *   3. A place counts if every function of the section matches there at its offset. A few bytes
 * are no section to be known by.
 */
#include "differ/match.h"

#include "common/error.h"
#include "differ/match_check.h"

static struct vg_item *longest_function(const struct vg_object_section *section)
{
	struct vg_item *longest = NULL;

	for (size_t i = 0; i < section->item_count; i++) {
		struct vg_item *item = section->items[i];

		if (vg_item_is_function(item) && (!longest || item->size > longest->size))
			longest = item;
	}
	return longest;
}

static struct vg_error *is_at(struct vg_matcher *matcher, const struct vg_object_section *section,
			      uint64_t base, bool *matches)
{
	*matches = !section->align || base % section->align == 0;
	for (size_t i = 0; i < section->item_count && *matches; i++)
		if (vg_item_is_function(section->items[i]))
			VG_TRY(vg_match_try(matcher, section->items[i],
					    base + section->items[i]->offset, matches));
	return NULL;
}

static bool read_line(struct vg_matcher *matcher, const struct vg_item *user, uint64_t address,
		      const struct vg_line *line, const struct vg_item *item, uint64_t *value)
{
	const uint8_t *bytes = vg_target_bytes(matcher->target, address, user->size);
	uint64_t at = line->instruction.address;
	struct vg_site_value values[2];

	if (!bytes ||
	    !vg_site_read(line, vg_item_bytes(user) + at, bytes + at, address + at, values))
		return false;
	for (unsigned r = 0; r < line->reference_count; r++) {
		if (line->references[r].item != item || !values[r].is_known)
			continue;
		if (values[r].kind != VG_SITE_ADDRESS && values[r].kind != VG_SITE_CALL)
			continue;
		*value = values[r].value;
		return true;
	}
	return false;
}

/* Where the item lies by one function that was placed. */
static struct vg_error *told_by(struct vg_matcher *matcher, struct vg_item *user,
				const struct vg_item *item, bool *told, uint64_t *value)
{
	const struct vg_block *block = &user->section->block;
	struct vg_listing *listing;

	if (!vg_item_is_function(user) || block->state != VG_BLOCK_FOUND)
		return NULL;
	VG_TRY(vg_listing_get(matcher->decoder, user, &listing));
	for (size_t i = 0; i < listing->count && !*told; i++)
		*told = read_line(matcher, user, block->base + user->offset, &listing->lines[i],
				  item, value);
	return NULL;
}

/* Step 2. */
static struct vg_error *base_by_users(struct vg_matcher *matcher,
				      const struct vg_object_section *section, bool *told,
				      uint64_t *base)
{
	*told = false;
	for (size_t i = 0; i < section->item_count && !*told; i++) {
		const struct vg_item *item = section->items[i];

		for (size_t u = 0; u < item->user_count && !*told; u++)
			VG_TRY(told_by(matcher, item->users[u], item, told, base));
		if (*told)
			*base -= item->offset;
	}
	return NULL;
}

/* Step 3. */
static struct vg_error *try_place(struct vg_matcher *matcher, struct vg_object_section *section,
				  uint64_t base)
{
	bool matches;

	VG_TRY(is_at(matcher, section, base, &matches));
	if (matches) {
		section->block.base = base;
		section->block.places++;
	}
	return NULL;
}

static bool is_too_short(const struct vg_object_section *section)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < section->item_count; i++)
		if (vg_item_is_function(section->items[i]))
			bytes += section->items[i]->size;
	return bytes < VG_LEAST_ANCHOR_BYTES;
}

static struct vg_error *find_places(struct vg_matcher *matcher, struct vg_object_section *section)
{
	const struct vg_item *longest = longest_function(section);
	const struct vg_span *spans;
	uint64_t base = 0;
	size_t count;
	bool told;

	if (!longest || !longest->size)
		return NULL;
	VG_TRY(base_by_users(matcher, section, &told, &base));
	if (told)
		return try_place(matcher, section, base);
	if (is_too_short(section))
		return NULL;
	spans = vg_target_functions_of_size(matcher->target, longest->size, &count);
	for (size_t i = 0; i < count; i++)
		if (spans[i].start >= longest->offset)
			VG_TRY(try_place(matcher, section, spans[i].start - longest->offset));
	return NULL;
}

static struct vg_object_section *main_code(const struct vg_object *object)
{
	struct vg_object_section *biggest = NULL;

	for (size_t i = 0; i < object->section_count; i++) {
		struct vg_object_section *section = &object->sections[i];

		if (vg_section_is_code(section) && (!biggest || section->size > biggest->size))
			biggest = section;
	}
	return biggest;
}

static struct vg_error *place(struct vg_matcher *matcher, struct vg_object_section *section)
{
	if (section->block.state != VG_BLOCK_UNTRIED)
		return NULL;
	section->block.state = VG_BLOCK_UNKNOWN;
	VG_TRY(find_places(matcher, section));
	if (section->block.places == 1)
		section->block.state = VG_BLOCK_FOUND;
	return NULL;
}

struct vg_error *vg_match_block(struct vg_matcher *matcher, struct vg_object_section *section,
				bool *found, uint64_t *base)
{
	VG_TRY(vg_match_frames(matcher, section->items[0]->object));
	VG_TRY(place(matcher, main_code(section->items[0]->object)));
	VG_TRY(place(matcher, section));
	*found = section->block.state == VG_BLOCK_FOUND;
	*base = section->block.base;
	return NULL;
}
