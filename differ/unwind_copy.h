/* SPDX-License-Identifier: MIT */
/* The .eh_frame of a patch while it is put together. */
#ifndef DIFFER_UNWIND_COPY_H
#define DIFFER_UNWIND_COPY_H

#include "differ/patch_build.h"
#include "differ/unwind_table.h"

struct vg_unwind_cie_copy {
	const uint8_t *bytes;
	uint64_t size;
	const struct vg_piece *personality; /* the slot that holds its address, or NULL */
	uint32_t offset;		    /* in the table */
};

struct vg_unwind_copy {
	struct vg_patch_build *build;
	VG_LIST(uint8_t) bytes;
	VG_LIST(struct vg_unwind_cie_copy) cies;
	VG_LIST(struct vg_fix) fixes;
};

VG_MUST_CHECK struct vg_error *vg_unwind_put(struct vg_unwind_copy *table, const void *bytes,
					     size_t count);
/*
 * Writes a CIE, or finds the equal one that was written before. With `personality` (a slot, or
 * NULL) the pointers to it and to exception tables are made relative.
 */
VG_MUST_CHECK struct vg_error *vg_unwind_put_cie(struct vg_unwind_copy *table, const uint8_t *data,
						 const struct vg_unwind_cie *cie,
						 struct vg_piece *personality, uint32_t *offset);
/* What a relocation in .eh_frame says of the field at an offset; false: none does. */
bool vg_unwind_field(const struct vg_object_section *section, uint64_t field, struct vg_item **item,
		     int64_t *offset);
/* Pointers to code relative, all pointers 4 bytes long. */
bool vg_unwind_is_supported(const struct vg_unwind_cie *cie);
/* unwind_displaced.c */
VG_MUST_CHECK struct vg_error *vg_unwind_put_displaced(struct vg_unwind_copy *table,
						       const struct vg_change *change);

#endif
