/* SPDX-License-Identifier: MIT */
/* The names of all code in the patch areas of a target: for debuggers and profilers. */
#ifndef PATCHER_NAMES_H
#define PATCHER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/area.h"

struct vg_name {
	uint64_t address;
	uint32_t bytes;
	const char *symbol; /* linker symbol; owned by the areas */
	const char *kind;   /* "" for the function itself, ".entry" for what stands before it */
	const char *patch;  /* owned by the areas */
};

struct vg_names {
	struct vg_name *names;
	size_t count;
};

/* New and changed functions, their parts and stubs, of every patch that entries lead to. */
VG_MUST_CHECK struct vg_error *vg_names_list(const struct vg_areas *areas, struct vg_names *names);
void vg_names_clear(struct vg_names *names);

#endif
