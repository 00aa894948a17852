/* SPDX-License-Identifier: MIT */
#include "differ/instruction_compare.h"

#include <string.h>

#include "common/error.h"

bool vg_item_is_part(const struct vg_item *item)
{
	return vg_item_is_function(item) && item->name && vg_item_is_local(item) &&
	       (strstr(item->name, ".cold") || (strstr(item->name, ".part.") && !item->is_shared));
}

static bool is_named_parent(const struct vg_item *function, const struct vg_item *part)
{
	return vg_item_is_function(function) && !vg_item_is_part(function) &&
	       !strcmp(function->base, part->base);
}

static bool has_named_parent(const struct vg_item *part)
{
	for (size_t i = 0; i < part->object->item_count; i++)
		if (is_named_parent(part->object->items[i], part))
			return true;
	return false;
}

bool vg_part_belongs_to(const struct vg_item *part, const struct vg_item *function)
{
	if (!vg_item_is_part(part) || part->object != function->object)
		return false;
	if (is_named_parent(function, part) || has_named_parent(part))
		return is_named_parent(function, part);
	for (size_t i = 0; i < part->user_count; i++)
		if (part->users[i] == function)
			return true;
	return false;
}

bool vg_item_is_nameless(const struct vg_item *item)
{
	return item->kind == VG_ITEM_STRING || item->kind == VG_ITEM_CONSTANT ||
	       item->kind == VG_ITEM_ANONYMOUS;
}

bool vg_item_is_replaceable_constant(const struct vg_item *item)
{
	return item->section && !vg_item_is_function(item) && vg_item_is_local(item) &&
	       !vg_item_is_writable(item) && !vg_section_is_thread_local(item->section);
}

/* Names that other objects know mean the same wherever they are defined. */
static bool is_same_symbol(const struct vg_item *pre, const struct vg_item *post)
{
	if (pre->twin == post || post->twin == pre)
		return true;
	return pre->name && post->name && !vg_item_is_local(pre) && !vg_item_is_local(post) &&
	       !strcmp(pre->name, post->name);
}

/* Both offsets mean the same instruction of a function and its twin. */
static struct vg_error *same_place_in_code(struct vg_decoder *decoder, struct vg_item *pre,
					   int64_t pre_offset, struct vg_item *post,
					   int64_t post_offset, bool *same)
{
	struct vg_listing *left, *right;

	*same = pre_offset == post_offset && !pre_offset;
	if (*same)
		return NULL;
	VG_TRY(vg_listing_get(decoder, pre, &left));
	VG_TRY(vg_listing_get(decoder, post, &right));

	size_t ordinal = vg_listing_ordinal(left, pre_offset);

	*same = ordinal != SIZE_MAX && ordinal == vg_listing_ordinal(right, post_offset);
	return NULL;
}

/* A part is compared where its function refers to it, once; loops of parts end at the memo. */
static struct vg_error *same_part(struct vg_decoder *decoder, struct vg_item *pre,
				  struct vg_item *post, bool *same)
{
	struct vg_difference difference;

	if (post->comparison == VG_NOT_COMPARED) {
		post->comparison = VG_BEING_COMPARED;
		VG_TRY(vg_same_code(decoder, pre, post, same, &difference));
		post->comparison = *same ? VG_SAME : VG_DIFFERENT;
	}
	*same = post->comparison != VG_DIFFERENT;
	return NULL;
}

static struct vg_error *same_function(struct vg_decoder *decoder, struct vg_item *pre,
				      int64_t pre_offset, struct vg_item *post, int64_t post_offset,
				      bool *same)
{
	*same = is_same_symbol(pre, post);
	if (!*same)
		return NULL;
	VG_TRY(same_place_in_code(decoder, pre, pre_offset, post, post_offset, same));
	if (*same && vg_item_is_part(post))
		VG_TRY(same_part(decoder, pre, post, same));
	return NULL;
}

static bool is_in_item(const struct vg_item *item, int64_t offset)
{
	return offset >= 0 && (uint64_t)offset <= item->size;
}

/*
 * What one reference into nameless data can see. A string ends at its NUL, a memory operand knows
 * its size; an address that is taken may be used for all that follows, up to the next such place.
 */
static uint64_t visible_bytes(const struct vg_item *item, int64_t offset,
			      const struct vg_line *line)
{
	uint64_t rest = (uint64_t)(vg_item_next_start(item, offset) - offset);
	bool is_access = line && line->instruction.is_rip_relative && !line->instruction.is_lea;

	if (is_access && line->instruction.memory_bytes && line->instruction.memory_bytes < rest)
		return line->instruction.memory_bytes;
	return rest;
}

static struct vg_error *same_nameless(struct vg_decoder *decoder, struct vg_item *pre,
				      int64_t pre_offset, struct vg_item *post, int64_t post_offset,
				      const struct vg_line *line, bool *same)
{
	*same = false;
	if (vg_item_is_writable(pre) != vg_item_is_writable(post))
		return NULL;
	/* A place beside it, such as the base of an index that begins at one: all may be seen. */
	if (!is_in_item(pre, pre_offset) && pre_offset == post_offset && pre->size == post->size)
		return vg_same_data(decoder, pre, 0, post, 0, pre->size, same);
	if (!is_in_item(pre, pre_offset) || !is_in_item(post, post_offset))
		return NULL;

	uint64_t bytes = visible_bytes(pre, pre_offset, line);

	if (bytes != visible_bytes(post, post_offset, line))
		return NULL;
	return vg_same_data(decoder, pre, pre_offset, post, post_offset, bytes, same);
}

static struct vg_error *same_variable(struct vg_decoder *decoder, struct vg_item *pre,
				      int64_t pre_offset, struct vg_item *post, int64_t post_offset,
				      bool *same)
{
	*same = is_same_symbol(pre, post) && pre_offset == post_offset;
	if (!*same || !vg_item_is_replaceable_constant(pre) ||
	    !vg_item_is_replaceable_constant(post))
		return NULL;
	return vg_same_contents(decoder, pre, post, same);
}

static struct vg_error *same_reference(struct vg_decoder *decoder, const struct vg_reference *left,
				       const struct vg_reference *right, const struct vg_line *line,
				       bool *same)
{
	struct vg_item *pre = left->item, *post = right->item;

	*same = false;
	if (!pre || !post) {
		*same = pre == post && left->offset == right->offset;
		return NULL;
	}
	if (vg_item_is_function(pre) && vg_item_is_function(post))
		return same_function(decoder, pre, left->offset, post, right->offset, same);
	if (vg_item_is_nameless(pre) && vg_item_is_nameless(post))
		return same_nameless(decoder, pre, left->offset, post, right->offset, line, same);
	if (pre->kind == VG_ITEM_VARIABLE && post->kind == VG_ITEM_VARIABLE)
		return same_variable(decoder, pre, left->offset, post, right->offset, same);
	*same = is_same_symbol(pre, post) && left->offset == right->offset;
	return NULL;
}

/* Both branches to the same function, one of them near enough for a short displacement. */
static bool is_same_branch(const struct vg_line *pre, const struct vg_line *post)
{
	return pre->instruction.branch_bytes && post->instruction.branch_bytes &&
	       pre->instruction.id == post->instruction.id;
}

/* The bytes but for the fields that refer to something. */
static bool is_same_encoding(const struct vg_listing *left, const struct vg_line *pre,
			     const struct vg_listing *right, const struct vg_line *post)
{
	uint8_t a[VG_MAX_INSTRUCTION], b[VG_MAX_INSTRUCTION];
	size_t size = pre->instruction.size;

	if (is_same_branch(pre, post))
		return true;
	if (size != post->instruction.size)
		return false;
	memcpy(a, vg_item_bytes(left->item) + pre->instruction.address, size);
	memcpy(b, vg_item_bytes(right->item) + post->instruction.address, size);
	for (unsigned i = 0; i < pre->reference_count; i++) {
		const struct vg_reference *reference = &pre->references[i];

		if (reference->field != post->references[i].field ||
		    reference->bytes != post->references[i].bytes)
			return false;
		memset(a + reference->field, 0, reference->bytes);
		memset(b + reference->field, 0, reference->bytes);
	}
	return !memcmp(a, b, size);
}

/* How a symbol is reached is part of the code: through the GOT, from the thread pointer, … */
static bool is_same_reloc_type(const struct vg_reference *pre, const struct vg_reference *post)
{
	bool assembled =
		pre->type == VG_RESOLVED_BY_ASSEMBLER || post->type == VG_RESOLVED_BY_ASSEMBLER;

	/* Direct calls carry PLT32 or PC32 by the assembler's taste, or are resolved already. */
	return pre->type == post->type || assembled ||
	       (pre->type == R_X86_64_PC32 && post->type == R_X86_64_PLT32) ||
	       (pre->type == R_X86_64_PLT32 && post->type == R_X86_64_PC32);
}

static struct vg_error *same_line(struct vg_decoder *decoder, const struct vg_listing *left,
				  const struct vg_line *pre, const struct vg_listing *right,
				  const struct vg_line *post, bool *same, const char **what)
{
	*same = false;
	*what = "another instruction";
	if (pre->instruction.id != post->instruction.id ||
	    pre->reference_count != post->reference_count ||
	    !is_same_encoding(left, pre, right, post))
		return NULL;
	*same = true;
	for (unsigned i = 0; i < pre->reference_count && *same; i++) {
		*what = "it refers to something else";
		*same = is_same_reloc_type(&pre->references[i], &post->references[i]);
		if (*same)
			VG_TRY(same_reference(decoder, &pre->references[i], &post->references[i],
					      post, same));
	}
	return NULL;
}

static size_t skip_padding(const struct vg_listing *listing, size_t i)
{
	while (i < listing->count && listing->lines[i].instruction.is_padding)
		i++;
	return i;
}

struct vg_error *vg_same_code(struct vg_decoder *decoder, struct vg_item *pre, struct vg_item *post,
			      bool *same, struct vg_difference *difference)
{
	struct vg_listing *left, *right;
	size_t a = 0, b = 0;

	VG_TRY(vg_listing_get(decoder, pre, &left));
	VG_TRY(vg_listing_get(decoder, post, &right));
	for (*same = true; *same; a++, b++) {
		a = skip_padding(left, a);
		b = skip_padding(right, b);
		*difference = (struct vg_difference){
			.pre = a < left->count ? &left->lines[a] : NULL,
			.post = b < right->count ? &right->lines[b] : NULL,
			.what = "one of them ends here",
		};
		if (!difference->pre && !difference->post)
			return NULL;
		*same = difference->pre && difference->post;
		if (*same)
			VG_TRY(same_line(decoder, left, difference->pre, right, difference->post,
					 same, &difference->what));
	}
	return NULL;
}

static struct vg_error *same_data_reloc(struct vg_decoder *decoder, struct vg_item *pre,
					const struct vg_object_reloc *left, int64_t pre_offset,
					struct vg_item *post, const struct vg_object_reloc *right,
					int64_t post_offset, bool *same)
{
	int64_t pre_at = (int64_t)(left->offset - pre->offset) - pre_offset;
	int64_t post_at = (int64_t)(right->offset - post->offset) - post_offset;
	struct vg_reference a = {.type = left->type}, b = {.type = right->type};
	int64_t pre_distance, post_distance;

	*same = pre_at == post_at && left->type == right->type;
	if (!*same)
		return NULL;
	*same = vg_entry_target(left, pre_at, &a.item, &a.offset, &pre_distance) &&
		vg_entry_target(right, post_at, &b.item, &b.offset, &post_distance) &&
		pre_distance == post_distance;
	if (!*same)
		return NULL;
	/* A variable that points to a constant is no other for what the constant holds. */
	if (vg_item_is_writable(post) && a.item->kind == VG_ITEM_VARIABLE) {
		*same = is_same_symbol(a.item, b.item) && a.offset == b.offset;
		return NULL;
	}
	return same_reference(decoder, &a, &b, NULL, same);
}

/* Relocated fields hold nothing with RELA, but an assembler may leave anything in them. */
static size_t reloc_field_bytes(uint32_t type)
{
	return type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;
}

static bool is_same_raw(const struct vg_item *pre, int64_t pre_offset, const struct vg_item *post,
			int64_t post_offset, uint64_t bytes)
{
	const uint8_t *a = vg_item_bytes(pre), *b = vg_item_bytes(post);
	size_t reloc_count, r = 0;
	struct vg_object_reloc *relocs = vg_item_relocs(pre, &reloc_count);

	for (uint64_t i = 0; i < bytes; i++) {
		uint64_t at = pre->offset + (uint64_t)pre_offset + i;
		uint8_t left = a ? a[(uint64_t)pre_offset + i] : 0;
		uint8_t right = b ? b[(uint64_t)post_offset + i] : 0;

		while (r < reloc_count &&
		       relocs[r].offset + reloc_field_bytes(relocs[r].type) <= at)
			r++;
		if (left != right && !(r < reloc_count && relocs[r].offset <= at))
			return false;
	}
	return true;
}

static size_t relocs_in(const struct vg_item *item, int64_t offset, uint64_t bytes,
			struct vg_object_reloc **relocs)
{
	size_t count, first = 0, end;
	uint64_t start = item->offset + (uint64_t)offset;

	*relocs = vg_item_relocs(item, &count);
	while (first < count && (*relocs)[first].offset < start)
		first++;
	for (end = first; end < count && (*relocs)[end].offset < start + bytes;)
		end++;
	*relocs += first;
	return end - first;
}

struct vg_error *vg_same_data(struct vg_decoder *decoder, struct vg_item *pre, int64_t pre_offset,
			      struct vg_item *post, int64_t post_offset, uint64_t bytes, bool *same)
{
	struct vg_object_reloc *left, *right;
	size_t count = relocs_in(pre, pre_offset, bytes, &left);

	*same = count == relocs_in(post, post_offset, bytes, &right) &&
		is_same_raw(pre, pre_offset, post, post_offset, bytes);
	for (size_t i = 0; i < count && *same; i++)
		VG_TRY(same_data_reloc(decoder, pre, &left[i], pre_offset, post, &right[i],
				       post_offset, same));
	return NULL;
}

/* Constants may refer to each other in circles; the memo of the post side ends the walk. */
struct vg_error *vg_same_contents(struct vg_decoder *decoder, struct vg_item *pre,
				  struct vg_item *post, bool *same)
{
	*same = post->comparison != VG_DIFFERENT;
	if (post->comparison != VG_NOT_COMPARED)
		return NULL;
	post->comparison = VG_BEING_COMPARED;
	*same = pre->size == post->size;
	if (*same)
		VG_TRY(vg_same_data(decoder, pre, 0, post, 0, post->size, same));
	post->comparison = *same ? VG_SAME : VG_DIFFERENT;
	return NULL;
}
