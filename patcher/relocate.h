/* SPDX-License-Identifier: MIT */
/*
 * Relocations of a patch object, applied to the bytes of a segment before they go into the target.
 * Every value is checked against the field it must fit; an overflow is an error and nothing is
 * taken on trust from the differ.
 */
#ifndef PATCHER_RELOCATE_H
#define PATCHER_RELOCATE_H

#include <stdint.h>

#include <vgraft/error.h>

#include "common/patch_object.h"

/* What the bases of relocations stand for in one target; indexed as in the object. */
struct vg_bases {
	const uint64_t *modules;  /* load bias */
	const uint64_t *segments; /* address in the target */
	const uint64_t *imports;  /* address of the symbol */
};

/* Applies all relocations of `segment` to `bytes`, which are its memory_bytes. */
VG_MUST_CHECK struct vg_error *vg_relocate_segment(const struct vg_patch *patch, unsigned segment,
						   const struct vg_bases *bases, uint8_t *bytes);

#endif
