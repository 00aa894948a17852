/* SPDX-License-Identifier: MIT */
/*
 * What an apply is going to write: the areas of a patch, complete, at the addresses where they will
 * lie. Making a plan changes nothing in the target; a check ends with one.
 */
#ifndef PATCHER_PLAN_H
#define PATCHER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "common/patch_object.h"
#include "patcher/layout.h"
#include "patcher/session.h"

struct vg_plan_area {
	const struct vg_module *module; /* of the session */
	struct vg_layout layout;
	uint64_t address;
	uint8_t *image; /* layout.area_bytes: state MAPPED, slots at select, switch 0 */
};

struct vg_plan {
	const struct vg_patch *patch;
	struct vg_plan_area *areas; /* one for each module of the object, in its order */
	size_t count;
	uint64_t *biases;   /* of the modules */
	uint64_t *segments; /* addresses */
	uint64_t *imports;  /* addresses */
	uint64_t *entries;  /* of all changed functions */
	size_t entry_count;
};

VG_MUST_CHECK struct vg_error *vg_plan_make(struct vg_session *session,
					    const struct vg_patch *patch, struct vg_plan *plan);
void vg_plan_clear(struct vg_plan *plan);

static inline struct vga_header *vg_plan_header(const struct vg_plan_area *area)
{
	return (struct vga_header *)area->image;
}

static inline struct vga_function *vg_plan_functions(const struct vg_plan_area *area)
{
	return (struct vga_function *)(area->image + area->layout.functions_offset);
}

#endif
