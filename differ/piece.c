/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

struct vg_error *vg_piece_new(struct vg_patch_build *build, enum vg_piece_kind kind, uint64_t size,
			      uint64_t align, struct vg_piece **piece)
{
	*piece = vg_arena_alloc(build->arena, 1, sizeof(**piece));
	if (!*piece)
		return vg_error_no_memory();
	(*piece)->kind = kind;
	(*piece)->size = size;
	(*piece)->align = align;
	(*piece)->order = build->pieces.count;
	(*piece)->bytes = vg_arena_alloc(build->arena, size ?: 1, 1);
	if (!(*piece)->bytes || !vg_list_push(build->arena, &build->pieces, *piece))
		return vg_error_no_memory();
	return NULL;
}

struct vg_error *vg_piece_add_fix(struct vg_patch_build *build, struct vg_piece *piece,
				  struct vg_fix fix)
{
	return vg_list_push(build->arena, &piece->fixes, fix) ? NULL : vg_error_no_memory();
}

static enum vg_piece_kind kind_of(const struct vg_item *item)
{
	if (vg_item_is_function(item))
		return vg_item_is_part(item) ? VG_PIECE_PART : VG_PIECE_FUNCTION;
	return vg_item_is_writable(item) ? VG_PIECE_VARIABLE : VG_PIECE_DATA;
}

/*
 * Anonymous data with relocations are tables: each is copied for itself, since its neighbours may
 * belong to functions that stay as they are. Without relocations the whole stretch comes along:
 * where one array ends and the next begins nobody knows.
 */
static void find_extent(const struct vg_item *item, int64_t offset, int64_t *from, int64_t *to)
{
	size_t reloc_count;

	vg_item_relocs(item, &reloc_count);
	*from = 0;
	*to = (int64_t)item->size;
	if (item->kind != VG_ITEM_ANONYMOUS || !reloc_count || offset < 0)
		return;
	*from = vg_item_start(item, offset);
	*to = vg_item_next_start(item, offset);
}

static struct vg_piece *existing_piece(struct vg_patch_build *build, const struct vg_item *item,
				       int64_t from)
{
	for (size_t i = 0; item->piece && i < build->pieces.count; i++)
		if (build->pieces.at[i]->item == item && build->pieces.at[i]->from == from)
			return build->pieces.at[i];
	return NULL;
}

static uint64_t align_at(const struct vg_item *item, int64_t from)
{
	uint64_t align = vg_item_align(item, from);

	if (vg_item_is_function(item))
		return item->section->align > 16 ? item->section->align : 16;
	if (item->kind == VG_ITEM_STRING)
		return item->section->entry_bytes ?: 1;
	return align > 4096 ? 4096 : align;
}

struct vg_error *vg_piece_of(struct vg_patch_build *build, struct vg_pair *pair,
			     struct vg_item *item, int64_t offset, struct vg_piece **piece)
{
	int64_t from, to;

	find_extent(item, offset, &from, &to);
	*piece = existing_piece(build, item, from);
	if (*piece)
		return NULL;
	VG_TRY(vg_piece_new(build, kind_of(item), (uint64_t)(to - from), align_at(item, from),
			    piece));
	if (!item->piece)
		item->piece = *piece;
	(*piece)->item = item;
	(*piece)->pair = pair;
	(*piece)->from = from;
	(*piece)->name = vg_item_text(item);
	if (vg_item_bytes(item))
		memcpy((*piece)->bytes, vg_item_bytes(item) + from, (*piece)->size);
	else
		(*piece)->bytes = NULL;
	return vg_list_push(build->arena, &build->queue, *piece) ? NULL : vg_error_no_memory();
}
