/* SPDX-License-Identifier: MIT */
#include "differ/correlate.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/instruction_compare.h"

struct items {
	struct vg_item **at;
	size_t count;
};

static void make_twins(struct vg_item *pre, struct vg_item *post)
{
	pre->twin = post;
	post->twin = pre;
}

static bool has_source_name(const struct vg_item *item)
{
	return item->name && !strcmp(item->name, item->base);
}

/* .cold and .part keep their whole name: foo.cold belongs to foo whatever else there is. */
static bool is_matched_by_name(const struct vg_item *item)
{
	return item->name && !vg_item_is_nameless(item) &&
	       (has_source_name(item) || item->kind == VG_ITEM_UNDEFINED ||
		strstr(item->name, ".cold"));
}

static int by_name(const void *left, const void *right)
{
	const struct vg_item *a = *(struct vg_item *const *)left;
	const struct vg_item *b = *(struct vg_item *const *)right;
	int order = strcmp(a->name, b->name);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int by_base(const void *left, const void *right)
{
	const struct vg_item *a = *(struct vg_item *const *)left;
	const struct vg_item *b = *(struct vg_item *const *)right;
	int order = strcmp(a->base, b->base);

	if (!order)
		order = (int)a->kind - (int)b->kind;
	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static struct vg_error *select_items(struct vg_object *object,
				     bool (*wanted)(const struct vg_item *),
				     int (*order)(const void *, const void *), struct items *items)
{
	items->count = 0;
	items->at = vg_arena_alloc(object->arena, object->item_count + 1, sizeof(*items->at));
	if (!items->at)
		return vg_error_no_memory();
	for (size_t i = 0; i < object->item_count; i++)
		if (wanted(object->items[i]))
			items->at[items->count++] = object->items[i];
	qsort(items->at, items->count, sizeof(*items->at), order);
	return NULL;
}

static bool is_same_kind(const struct vg_item *pre, const struct vg_item *post)
{
	return pre->kind == post->kind;
}

/* A local name that stands twice in one object (assembler can) tells nothing. */
static bool is_repeated(const struct items *items, size_t i)
{
	const char *name = items->at[i]->name;

	return (i > 0 && !strcmp(items->at[i - 1]->name, name)) ||
	       (i + 1 < items->count && !strcmp(items->at[i + 1]->name, name));
}

static struct vg_error *correlate_by_name(struct vg_object *pre, struct vg_object *post)
{
	struct items left, right;

	VG_TRY(select_items(pre, is_matched_by_name, by_name, &left));
	VG_TRY(select_items(post, is_matched_by_name, by_name, &right));
	for (size_t a = 0, b = 0; a < left.count && b < right.count;) {
		int order = strcmp(left.at[a]->name, right.at[b]->name);

		if (!order && (is_repeated(&left, a) || is_repeated(&right, b)))
			right.at[b]->ambiguous = true;
		else if (!order && is_same_kind(left.at[a], right.at[b]))
			make_twins(left.at[a], right.at[b]);
		a += order < 0;
		b += order >= 0;
	}
	return NULL;
}

static bool is_matched_by_base(const struct vg_item *item)
{
	return item->name && !vg_item_is_nameless(item) && !is_matched_by_name(item);
}

/* Do both items have a user of this base name? */
static bool has_user_like(const struct vg_item *item, const struct vg_item *user)
{
	for (size_t i = 0; i < item->user_count; i++)
		if (item->users[i]->base && user->base && !strcmp(item->users[i]->base, user->base))
			return true;
	return false;
}

static bool is_scope_within(const struct vg_item *inner, const struct vg_item *outer)
{
	for (size_t i = 0; i < inner->user_count; i++)
		if (!has_user_like(outer, inner->users[i]))
			return false;
	return true;
}

static bool is_same_scope(const struct vg_item *pre, const struct vg_item *post)
{
	return pre->user_count && is_scope_within(pre, post) && is_scope_within(post, pre);
}

static bool has_common_scope(const struct vg_item *pre, const struct vg_item *post)
{
	for (size_t i = 0; i < pre->user_count; i++)
		if (has_user_like(post, pre->users[i]))
			return true;
	return false;
}

static bool has_user_without_twin(const struct vg_item *item)
{
	for (size_t i = 0; i < item->user_count; i++)
		if (!item->users[i]->twin)
			return true;
	return !item->user_count;
}

/*
 * One static `buf` in f before, one in g after, where f and g exist on both sides: two variables.
 * But a function that was inlined, or no longer is, takes its statics along.
 */
static bool is_plainly_another(const struct vg_item *pre, const struct vg_item *post)
{
	return pre->kind == VG_ITEM_VARIABLE && !has_common_scope(pre, post) &&
	       !has_user_without_twin(pre) && !has_user_without_twin(post);
}

/* foo.isra.0 and foo.isra.1 have one shape, foo.isra.0 and foo.constprop.0 do not. */
static bool is_same_shape(const struct vg_item *pre, const struct vg_item *post)
{
	const char *a = pre->name, *b = post->name;

	while (*a || *b) {
		a += strspn(a, "0123456789");
		b += strspn(b, "0123456789");
		if (*a != *b)
			return false;
		if (!*a)
			break;
		a++;
		b++;
	}
	return true;
}

static bool is_free_pair(const struct vg_item *pre, const struct vg_item *post)
{
	return !pre->twin && !post->twin && is_same_kind(pre, post) && is_same_shape(pre, post);
}

static struct vg_error *same_content(struct vg_decoder *decoder, struct vg_item *pre,
				     struct vg_item *post, bool *same)
{
	struct vg_difference difference;

	*same = false;
	if (vg_item_is_function(pre)) {
		struct vg_error *error;

		/* Its own branches, and calls of itself, are the same if it is. */
		make_twins(pre, post);
		error = vg_same_code(decoder, pre, post, same, &difference);
		if (error || !*same)
			pre->twin = post->twin = NULL;
		return error;
	}
	if (vg_item_is_writable(pre) || vg_item_is_writable(post) || pre->size != post->size)
		return NULL;
	return vg_same_data(decoder, pre, 0, post, 0, pre->size, same);
}

/* The only candidate of `item` in the group, by a predicate; NULL if there are none or several. */
static struct vg_item *
only_candidate(const struct vg_item *item, const struct items *group,
	       bool (*accepts)(const struct vg_item *, const struct vg_item *), bool item_is_post)
{
	struct vg_item *found = NULL;

	for (size_t i = 0; i < group->count; i++) {
		const struct vg_item *pre = item_is_post ? group->at[i] : item;
		const struct vg_item *post = item_is_post ? item : group->at[i];

		if (!is_free_pair(pre, post) || !accepts(pre, post))
			continue;
		if (found)
			return NULL;
		found = group->at[i];
	}
	return found;
}

static void pair_one_to_one(const struct items *left, const struct items *right,
			    bool (*accepts)(const struct vg_item *, const struct vg_item *))
{
	for (size_t i = 0; i < right->count; i++) {
		struct vg_item *post = right->at[i];
		struct vg_item *pre = only_candidate(post, left, accepts, true);

		if (pre && only_candidate(pre, right, accepts, false) == post)
			make_twins(pre, post);
	}
}

static bool is_not_another(const struct vg_item *pre, const struct vg_item *post)
{
	return !is_plainly_another(pre, post);
}

static struct vg_error *pair_by_content(struct vg_decoder *decoder, const struct items *left,
					const struct items *right, bool *found)
{
	for (size_t b = 0; b < right->count; b++)
		for (size_t a = 0; a < left->count && !right->at[b]->twin; a++) {
			bool same = false;

			if (is_free_pair(left->at[a], right->at[b]))
				VG_TRY(same_content(decoder, left->at[a], right->at[b], &same));
			if (same)
				make_twins(left->at[a], right->at[b]);
			*found |= same;
		}
	return NULL;
}

static bool is_any(const struct vg_item *pre, const struct vg_item *post)
{
	(void)pre;
	(void)post;
	return true;
}

/* A static without a twin while one of its base name is left over: it may be that one, or new. */
static void mark_ambiguous(const struct items *left, const struct items *right)
{
	for (size_t b = 0; b < right->count; b++)
		for (size_t a = 0; a < left->count; a++)
			if (is_free_pair(left->at[a], right->at[b]) &&
			    !vg_item_is_function(right->at[b]) &&
			    !is_plainly_another(left->at[a], right->at[b]))
				right->at[b]->ambiguous = true;
}

/* Two blocks of one function may each have a static `laddr`: an address of 24 bytes and one of 56.
 */
static bool is_same_scope_and_size(const struct vg_item *pre, const struct vg_item *post)
{
	return is_same_scope(pre, post) && pre->size == post->size;
}

/* The funnel for what has one base name: plainly, by content, by what is left over. */
static struct vg_error *pair_plainly(struct vg_decoder *decoder, const struct items *left,
				     const struct items *right, bool *found)
{
	bool single = left->count == 1 && right->count == 1;

	(void)decoder;
	(void)found;
	if (single)
		pair_one_to_one(left, right, is_not_another);
	if (single || !vg_item_is_function(right->at[0]))
		pair_one_to_one(left, right, is_same_scope);
	if (left->count == right->count && !vg_item_is_function(right->at[0]))
		pair_one_to_one(left, right, is_same_scope_and_size);
	return NULL;
}

static bool is_same_name(const struct vg_item *pre, const struct vg_item *post)
{
	return !strcmp(pre->name, post->name);
}

/*
 * Whichever clones of a function are paired, a caller that stays calls the twin of what it called,
 * as the compiler has it call after the change. So a guess costs at most a caller in the patch.
 */
static struct vg_error *pair_rest(struct vg_decoder *decoder, const struct items *left,
				  const struct items *right, bool *found)
{
	(void)decoder;
	(void)found;
	if (vg_item_is_function(right->at[0])) {
		pair_one_to_one(left, right, is_same_scope);
		pair_one_to_one(left, right, is_any);
		pair_one_to_one(left, right, is_same_name);
	}
	mark_ambiguous(left, right);
	return NULL;
}

static size_t group_end(const struct items *items, size_t start)
{
	size_t end = start;

	while (end < items->count && !strcmp(items->at[end]->base, items->at[start]->base) &&
	       items->at[end]->kind == items->at[start]->kind)
		end++;
	return end;
}

typedef struct vg_error *pair_step(struct vg_decoder *decoder, const struct items *left,
				   const struct items *right, bool *found);

static struct vg_error *in_each_group(struct vg_decoder *decoder, const struct items *left,
				      const struct items *right, pair_step *step, bool *found)
{
	for (size_t a = 0, b = 0; a < left->count && b < right->count;) {
		int order = strcmp(left->at[a]->base, right->at[b]->base);
		size_t a_end = group_end(left, a), b_end = group_end(right, b);

		if (!order)
			order = (int)left->at[a]->kind - (int)right->at[b]->kind;
		if (!order)
			VG_TRY(step(decoder, &(struct items){left->at + a, a_end - a},
				    &(struct items){right->at + b, b_end - b}, found));
		a = order <= 0 ? a_end : a;
		b = order >= 0 ? b_end : b;
	}
	return NULL;
}

static struct vg_error *correlate_by_base(struct vg_decoder *decoder, struct vg_object *pre,
					  struct vg_object *post)
{
	struct items left, right;
	bool found = false;

	VG_TRY(select_items(pre, is_matched_by_base, by_base, &left));
	VG_TRY(select_items(post, is_matched_by_base, by_base, &right));
	VG_TRY(in_each_group(decoder, &left, &right, pair_plainly, &found));
	do { /* clones call clones: each pair may make another one the same */
		found = false;
		VG_TRY(in_each_group(decoder, &left, &right, pair_by_content, &found));
	} while (found);
	return in_each_group(decoder, &left, &right, pair_rest, &found);
}

static bool is_same_reloc(const struct vg_item *pre, const struct vg_object_reloc *left,
			  const struct vg_item *post, const struct vg_object_reloc *right)
{
	return left->type == right->type &&
	       left->offset - pre->offset == right->offset - post->offset;
}

/* Two variables that could be one, with the same bytes in them. */
static bool is_same_initialised(const struct vg_item *pre, const struct vg_item *post)
{
	const uint8_t *left = vg_item_bytes(pre), *right = vg_item_bytes(post);

	return pre->kind == VG_ITEM_VARIABLE && is_free_pair(pre, post) &&
	       is_matched_by_base(pre) && is_matched_by_base(post) &&
	       !strcmp(pre->base, post->base) && pre->size == post->size && !left == !right &&
	       (!left || !memcmp(left, right, pre->size));
}

/* What the twins hold a pointer to at the same place. Returns whether a pair was made. */
static bool pair_pointed_to(struct vg_item *pre, struct vg_item *post)
{
	size_t count, other;
	struct vg_object_reloc *left = vg_item_relocs(pre, &count);
	struct vg_object_reloc *right = vg_item_relocs(post, &other);
	struct vg_item *from, *to;
	bool found = false;
	int64_t a, b;

	for (size_t i = 0; count == other && i < count; i++) {
		if (!is_same_reloc(pre, &left[i], post, &right[i]) ||
		    !vg_reloc_target(&left[i], 0, &from, &a) ||
		    !vg_reloc_target(&right[i], 0, &to, &b) || a != b ||
		    !is_same_initialised(from, to))
			continue;
		make_twins(from, to);
		to->ambiguous = false;
		found = true;
	}
	return found;
}

/*
 * Compound literals have no name but a number (__compound_literal.7 in a USB descriptor of QEMU's),
 * and several of them one user. The place of the pointer to it tells which is which.
 */
static void correlate_by_pointer(struct vg_object *pre)
{
	bool found;

	do {
		found = false;
		for (size_t i = 0; i < pre->item_count; i++) {
			struct vg_item *item = pre->items[i], *twin = item->twin;

			if (item->kind == VG_ITEM_VARIABLE && twin && twin->section &&
			    item->section && item->size == twin->size)
				found |= pair_pointed_to(item, twin);
		}
	} while (found);
}

static bool is_called_by_others(const struct vg_item *part)
{
	for (size_t i = 0; i < part->user_count; i++)
		if (vg_item_is_function(part->users[i]) &&
		    strcmp(part->users[i]->base, part->base) != 0)
			return true;
	return false;
}

static bool is_cut_off(const struct vg_item *post)
{
	return post->twin && vg_item_is_function(post) && vg_item_is_part(post) &&
	       !strstr(post->name, ".cold") && is_called_by_others(post) &&
	       is_called_by_others(post->twin);
}

/* What is left of its function as such, which it is a part of if both change. */
static struct vg_error *is_function_same(struct vg_decoder *decoder, const struct vg_item *part,
					 bool *same)
{
	struct vg_difference difference;

	*same = true;
	for (size_t i = 0; *same && i < part->object->item_count; i++) {
		struct vg_item *item = part->object->items[i];

		if (item->twin && vg_item_is_function(item) && !vg_item_is_part(item) &&
		    item != part && !strcmp(item->base, part->base))
			VG_TRY(vg_same_code(decoder, item->twin, item, same, &difference));
	}
	return NULL;
}

/*
 * The greater half of an inlined function (luaV_concat.part.0, which the interpreter's loop calls)
 * is called as a function is. It is replaced for itself, or its change would replace all callers.
 */
static struct vg_error *mark_shared(struct vg_decoder *decoder, struct vg_object *post)
{
	for (size_t i = 0; i < post->item_count; i++) {
		struct vg_item *part = post->items[i];
		bool same;

		if (!is_cut_off(part))
			continue;
		part->is_shared = part->twin->is_shared = true;
		VG_TRY(is_function_same(decoder, part, &same));
		part->is_shared = part->twin->is_shared = same;
	}
	return NULL;
}

struct vg_error *vg_correlate(struct vg_decoder *decoder, struct vg_object *pre,
			      struct vg_object *post)
{
	VG_TRY(correlate_by_name(pre, post));
	VG_TRY(correlate_by_base(decoder, pre, post));
	correlate_by_pointer(pre);
	VG_TRY(mark_shared(decoder, post));
	/* Comparisons so far were made with part of the twins: forget what they found. */
	for (size_t i = 0; i < post->item_count; i++)
		post->items[i]->comparison = VG_NOT_COMPARED;
	return NULL;
}
