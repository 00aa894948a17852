/* SPDX-License-Identifier: MIT */
/* Patches that are applied before this one, and what they changed and brought: see earlier.c. */
#ifndef DIFFER_EARLIER_H
#define DIFFER_EARLIER_H

#include "common/patch_object.h"
#include "differ/patch_build.h"

VG_MUST_CHECK struct vg_error *vg_earlier_open(struct vg_patch_build *build);
void vg_earlier_close(struct vg_patch_build *build);
/* Before anything is matched: what they changed is matched by what they say. */
VG_MUST_CHECK struct vg_error *vg_earlier_take(struct vg_patch_build *build);
VG_MUST_CHECK struct vg_error *vg_earlier_check_changes(struct vg_patch_build *build);
/* The reach of what they changed or brought; of anything else it stays as it is. */
VG_MUST_CHECK struct vg_error *vg_reach_earlier(struct vg_patch_build *build,
						const struct vg_item *post, struct vg_reach *reach);
/* Matched by what an earlier patch says: the pre object's code is not that of the target. */
bool vg_earlier_is_taken(const struct vg_item *pre);

#endif
