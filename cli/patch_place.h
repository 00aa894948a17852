/* SPDX-License-Identifier: MIT */
/* What lies at a place in a patch, for people. */
#ifndef CLI_PATCH_PLACE_H
#define CLI_PATCH_PLACE_H

#include <stdbool.h>

#include "common/patch_object.h"

struct vg_patch_place {
	const char *name; /* function, part, hook or variable; "" if none of these */
	uint64_t offset;  /* in it */
};

struct vg_patch_place vg_patch_place(const struct vg_patch *patch, size_t segment, uint64_t offset);
/* The relocation whose field lies in these bytes, or NULL. */
const struct vgp_reloc *vg_patch_reloc_in(const struct vg_patch *patch, size_t segment,
					  uint64_t start, uint64_t bytes);
/* What a relocation refers to: "" if that has no name. */
const char *vg_patch_reloc_name(const struct vg_patch *patch, const struct vgp_reloc *reloc);
/*
 * What code that refers to a place of its own patch means by it: "area+0x4", "puts (stub)", or the
 * text of a string. False: nothing that can be named.
 */
bool vg_patch_place_text(const struct vg_patch *patch, size_t segment, uint64_t offset, char *text,
			 size_t room);

#endif
