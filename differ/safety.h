/* SPDX-License-Identifier: MIT */
/* The rules, each in a file of its own; vg_safety_check() asks them all. */
#ifndef DIFFER_SAFETY_H
#define DIFFER_SAFETY_H

#include "differ/patch_build.h"
#include "differ/type_table.h"

/* data, removed, ops-table, constructor, ifunc, new thread-local variables */
VG_MUST_CHECK struct vg_error *vg_safety_check_data(struct vg_patch_build *build,
						    struct vg_pair *pair);
/* layout */
VG_MUST_CHECK struct vg_error *vg_safety_check_types(struct vg_patch_build *build,
						     struct vg_pair *pair,
						     const struct vg_type_table *pre,
						     const struct vg_type_table *post);
/* endless */
VG_MUST_CHECK struct vg_error *vg_safety_check_endless(struct vg_patch_build *build,
						       struct vg_change *change);
/* ambiguous: two functions that the linker folded into one; needs the match of all changes */
VG_MUST_CHECK struct vg_error *vg_safety_check_folded(struct vg_patch_build *build);
/* signature; needs the match of all changes */
VG_MUST_CHECK struct vg_error *vg_safety_check_callers(struct vg_patch_build *build);

#endif
