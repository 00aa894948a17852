/* SPDX-License-Identifier: MIT */
/* The object half by itself: what vg_build() does once the units are compiled. */
#ifndef DIFFER_BUILD_H
#define DIFFER_BUILD_H

#include "differ/target_binary.h"
#include "differ/unit.h"

VG_MUST_CHECK struct vg_error *vg_build_from_units(const struct vg_build_request *request,
						   const struct vg_units *units,
						   struct vg_target *target, struct vg_arena *arena,
						   struct vg_build_result *result);

#endif
