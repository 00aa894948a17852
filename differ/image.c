/* SPDX-License-Identifier: MIT */
/*
 * The segments of the patch: pieces in the order of their kinds, then of their making. A fix whose
 * value does not depend on where the patch will lie is settled here; the others become relocations.
 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

#define MAX_SEGMENT (64u << 20)

static bool is_data_segment(const struct vg_piece *piece)
{
	return piece->kind == VG_PIECE_VARIABLE;
}

static int by_kind(const void *left, const void *right)
{
	const struct vg_piece *a = *(struct vg_piece *const *)left;
	const struct vg_piece *b = *(struct vg_piece *const *)right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	/* Variables without contents go last: the file need not hold them. */
	if (!a->bytes != !b->bytes)
		return a->bytes ? -1 : 1;
	/* Read-only data by falling alignment wastes no room. */
	if (a->kind == VG_PIECE_DATA && a->align != b->align)
		return a->align > b->align ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool place_piece(struct vg_piece *piece, uint32_t *bytes, uint32_t *align)
{
	uint64_t offset = (*bytes + piece->align - 1) & ~(piece->align - 1);

	if (offset + piece->size > MAX_SEGMENT)
		return false;
	piece->offset = (uint32_t)offset;
	*bytes = (uint32_t)(offset + piece->size);
	if (piece->align > *align)
		*align = (uint32_t)piece->align;
	return true;
}

static struct vg_error *place_pieces(struct vg_patch_build *build, struct vg_image *image)
{
	image->text_align = 16;
	image->data_align = 8;
	qsort(build->pieces.at, build->pieces.count, sizeof(*build->pieces.at), by_kind);
	for (size_t i = 0; i < build->pieces.count; i++) {
		struct vg_piece *piece = build->pieces.at[i];
		bool data = is_data_segment(piece);

		if (!place_piece(piece, data ? &image->data_bytes : &image->text_bytes,
				 data ? &image->data_align : &image->text_align))
			return vg_error_new(VG_REFUSED, "the patch would be larger than 64 MiB");
		if (data && piece->bytes)
			image->data_content_bytes = image->data_bytes;
	}
	return NULL;
}

/* Code that runs into the gap between functions must not run on. */
static void fill_gaps(struct vg_patch_build *build, struct vg_image *image)
{
	uint32_t end = 0;

	for (size_t i = 0; i < build->pieces.count; i++) {
		const struct vg_piece *piece = build->pieces.at[i];

		if (is_data_segment(piece))
			continue;
		if (piece->kind <= VG_PIECE_STUB)
			memset(image->text + end, 0xcc, piece->offset - end);
		end = piece->offset + (uint32_t)piece->size;
	}
}

/* Both ends move together. */
static bool is_settled(const struct vg_piece *piece, const struct vg_fix *fix)
{
	return fix->kind == VG_SPOT_PIECE && fix->type == VGP_PC32 &&
	       is_data_segment(piece) == is_data_segment(fix->piece);
}

static struct vg_error *settle(const struct vg_piece *piece, const struct vg_fix *fix,
			       uint8_t *segment)
{
	int64_t value =
		(int64_t)fix->piece->offset + fix->addend - ((int64_t)piece->offset + fix->offset);
	int32_t field = (int32_t)value;

	if (field != value)
		return vg_error_new(VG_REFUSED, "a reference inside the patch is out of reach");
	memcpy(segment + piece->offset + fix->offset, &field, 4);
	return NULL;
}

/* The TEXT segment is the first record, DATA the second. */
static struct vgp_reloc make_reloc(const struct vg_piece *piece, const struct vg_fix *fix)
{
	struct vgp_reloc reloc = {
		.offset = piece->offset + fix->offset,
		.segment = is_data_segment(piece),
		.type = fix->type,
		.addend = fix->addend,
	};

	switch (fix->kind) {
	case VG_SPOT_NONE:
		reloc.base = VGP_BASE_NONE;
		break;
	case VG_SPOT_MODULE:
		reloc.base = VGP_BASE_MODULE;
		reloc.addend += (int64_t)fix->address;
		break;
	case VG_SPOT_PIECE:
		reloc.base = VGP_BASE_SEGMENT;
		reloc.index = is_data_segment(fix->piece);
		reloc.addend += fix->piece->offset;
		break;
	case VG_SPOT_IMPORT:
		reloc.base = VGP_BASE_IMPORT;
		reloc.index = fix->import;
		break;
	}
	return reloc;
}

static struct vg_error *settle_piece(struct vg_patch_build *build, struct vg_image *image,
				     struct vg_piece *piece)
{
	uint8_t *segment = is_data_segment(piece) ? image->data : image->text;

	if (piece->bytes)
		memcpy(segment + piece->offset, piece->bytes, piece->size);
	for (size_t i = 0; i < piece->fixes.count; i++) {
		const struct vg_fix *fix = &piece->fixes.at[i];

		if (is_settled(piece, fix)) {
			VG_TRY(settle(piece, fix, segment));
			continue;
		}
		if (!vg_list_push(build->arena, &image->relocs, make_reloc(piece, fix)) ||
		    !vg_list_push(build->arena, &image->names, fix->name ?: ""))
			return vg_error_no_memory();
	}
	return NULL;
}

struct vg_error *vg_image_lay_out(struct vg_patch_build *build, struct vg_image *image)
{
	*image = (struct vg_image){0};
	VG_TRY(place_pieces(build, image));
	image->text = vg_arena_alloc(build->arena, image->text_bytes + 1u, 1);
	image->data = vg_arena_alloc(build->arena, image->data_bytes + 1u, 1);
	if (!image->text || !image->data)
		return vg_error_no_memory();
	fill_gaps(build, image);
	for (size_t i = 0; i < build->pieces.count; i++)
		VG_TRY(settle_piece(build, image, build->pieces.at[i]));
	return NULL;
}
