/* SPDX-License-Identifier: MIT */
/* Who refers to what inside one object: the scope of statics, and where to look for addresses. */
#include "common/error.h"
#include "differ/listing.h"

static struct vg_error *add_user(struct vg_item *item, struct vg_item *user)
{
	if (item == user || (item->user_count && item->users[item->user_count - 1] == user))
		return NULL;
	if (!vg_list_grow(item->object->arena, &item->users, item->user_count, &item->user_room,
			  sizeof(*item->users)))
		return vg_error_no_memory();
	item->users[item->user_count++] = user;
	return NULL;
}

/*
 * How far behind the field the reference is counted from. The next instruction is at most 4 bytes
 * of immediate away; for finding the item the usual 4 is near enough except at the end of an item,
 * where symbols of sections are met.
 */
static int64_t usual_bias(const struct vg_object_reloc *reloc, const struct vg_item *user)
{
	if (!vg_reloc_is_pc_relative(reloc->type))
		return 0;
	if (vg_item_is_function(user))
		return 4;
	return -(int64_t)(reloc->offset - user->offset);
}

/*
 * Is the address taken, rather than memory at a known place accessed? Absolute fields and `lea`
 * (opcode 8d, two bytes in front of the displacement) may be indexed; so may pointers in data.
 */
static bool takes_address(const struct vg_object_reloc *reloc, const struct vg_item *user)
{
	if (!vg_item_is_function(user) || !vg_reloc_is_pc_relative(reloc->type))
		return true;
	return reloc->offset >= user->offset + 2 && user->section->data[reloc->offset - 2] == 0x8d;
}

static struct vg_error *add_start(struct vg_item *item, int64_t offset)
{
	size_t i = item->start_count;

	if (item->kind != VG_ITEM_ANONYMOUS || offset < 0 || (uint64_t)offset >= item->size)
		return NULL;
	for (size_t k = 0; k < item->start_count; k++)
		if (item->starts[k] == offset)
			return NULL;
	if (!vg_list_grow(item->object->arena, &item->starts, item->start_count, &item->start_room,
			  sizeof(*item->starts)))
		return vg_error_no_memory();
	for (; i && item->starts[i - 1] > offset; i--)
		item->starts[i] = item->starts[i - 1];
	item->starts[i] = offset;
	item->start_count++;
	return NULL;
}

int64_t vg_item_start(const struct vg_item *item, int64_t offset)
{
	int64_t start = 0;

	for (size_t i = 0; i < item->start_count && item->starts[i] <= offset; i++)
		start = item->starts[i];
	return start;
}

int64_t vg_item_next_start(const struct vg_item *item, int64_t offset)
{
	for (size_t i = 0; i < item->start_count; i++)
		if (item->starts[i] > offset)
			return item->starts[i];
	return (int64_t)item->size;
}

static struct vg_error *find_users_in(struct vg_item *user)
{
	size_t reloc_count;
	struct vg_object_reloc *relocs = vg_item_relocs(user, &reloc_count);
	struct vg_item *item;
	int64_t offset;

	for (size_t r = 0; r < reloc_count; r++) {
		if (!vg_reloc_target(&relocs[r], usual_bias(&relocs[r], user), &item, &offset))
			continue;
		VG_TRY(add_user(item, user));
		if (takes_address(&relocs[r], user) &&
		    !(vg_reloc_is_pc_relative(relocs[r].type) && !vg_item_is_function(user)))
			VG_TRY(add_start(item, offset));
	}
	return NULL;
}

struct vg_error *vg_object_find_users(struct vg_object *object)
{
	size_t item_count = object->item_count;

	for (size_t i = 0; i < item_count; i++)
		VG_TRY(find_users_in(object->items[i]));
	return NULL;
}
