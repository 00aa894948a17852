/* SPDX-License-Identifier: MIT */
/* GOT slots and PLT-like stubs of the patch's own, for what the target has none of. */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

/* One for each symbol: names of other modules are the same in all units. */
static struct vg_piece *find_piece(struct vg_patch_build *build, enum vg_piece_kind kind,
				   const struct vg_item *item)
{
	for (size_t i = 0; i < build->pieces.count; i++) {
		struct vg_piece *piece = build->pieces.at[i];

		if (piece->kind == kind &&
		    (piece->key == (uintptr_t)item ||
		     (!vg_item_is_local(item) && piece->name && !strcmp(piece->name, item->name))))
			return piece;
	}
	return NULL;
}

static struct vg_error *fill_slot(struct vg_patch_build *build, struct vg_item *item,
				  const struct vg_reach *reach, struct vg_fix *fix)
{
	struct vg_reach import = *reach;

	fix->type = VGP_ABS64;
	if (reach->piece) {
		fix->kind = VG_SPOT_PIECE;
		fix->piece = reach->piece;
	} else if (reach->has_address) {
		fix->kind = VG_SPOT_MODULE;
		fix->address = reach->address;
	} else if (reach->has_tpoff) {
		fix->type = VGP_TPOFF64;
		fix->addend = reach->tpoff;
	} else {
		if (!import.has_import)
			VG_TRY(vg_reach_import(build, item, &import));
		fix->kind = VG_SPOT_IMPORT;
		fix->import = import.import;
	}
	return NULL;
}

struct vg_error *vg_slot_for(struct vg_patch_build *build, struct vg_item *item,
			     const struct vg_reach *reach, struct vg_piece **slot)
{
	struct vg_fix fix = {.name = vg_item_text(item)};

	*slot = find_piece(build, VG_PIECE_SLOT, item);
	if (*slot)
		return NULL;
	VG_TRY(fill_slot(build, item, reach, &fix));
	VG_TRY(vg_piece_new(build, VG_PIECE_SLOT, 8, 8, slot));
	(*slot)->key = (uintptr_t)item;
	(*slot)->name = vg_item_is_local(item) ? NULL : item->name;
	return vg_piece_add_fix(build, *slot, fix);
}

/* jmp *slot(%rip) */
struct vg_error *vg_stub_for(struct vg_patch_build *build, struct vg_item *item,
			     const struct vg_reach *reach, struct vg_piece **stub)
{
	struct vg_fix fix = {.offset = 2, .type = VGP_PC32, .addend = -4};

	*stub = find_piece(build, VG_PIECE_STUB, item);
	if (*stub)
		return NULL;
	if (reach->has_slot) {
		fix.kind = VG_SPOT_MODULE;
		fix.address = reach->slot;
	} else {
		fix.kind = VG_SPOT_PIECE;
		VG_TRY(vg_slot_for(build, item, reach, &fix.piece));
	}
	VG_TRY(vg_piece_new(build, VG_PIECE_STUB, 6, 2, stub));
	(*stub)->key = (uintptr_t)item;
	(*stub)->name = vg_item_is_local(item) ? NULL : item->name;
	memcpy((*stub)->bytes, "\xff\x25", 2);
	fix.name = vg_item_text(item);
	return vg_piece_add_fix(build, *stub, fix);
}
