/* SPDX-License-Identifier: MIT */
/*
 * What link-time optimisation made of functions: where the target's DWARF shows their code (DWARF
 * 5, 3.3.8). Inlined copies and clones stand in whatever unit the linker put them; each names by
 * DW_AT_abstract_origin the function that it comes from.
 */
#ifndef DIFFER_LINK_TIME_H
#define DIFFER_LINK_TIME_H

#include <vgraft/error.h>

#include "differ/arena.h"

/* One body, its own or a clone, or one inlined copy. */
struct vg_copy {
	const char *function; /* name in the source */
	const char *unit;     /* file name of the unit that defines it, without folders */
	uint64_t address;     /* of the body, or of the body that it was inlined into */
	const char *within;   /* inlined: the function that holds it; else NULL */
};

struct vg_copies {
	VG_LIST(struct vg_copy) list;
	bool is_known; /* the file has DWARF, and all of it could be read */
};

VG_MUST_CHECK struct vg_error *vg_copies_read(struct vg_arena *arena, const char *path,
					      struct vg_copies *copies);

#endif
