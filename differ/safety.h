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
/* safety_convention.c: does an attribute make callers call the function in another way? */
VG_MUST_CHECK struct vg_error *vg_safety_convention_changed(const struct vg_patch_build *build,
							    const struct vg_change *change,
							    bool *changed);
/* safety_stack.c: do objects of the type, as it was, live on stacks of replaced code alone? */
VG_MUST_CHECK struct vg_error *vg_safety_is_on_stacks(struct vg_patch_build *build,
						      const struct vg_pair *pair,
						      const struct vg_type *type,
						      bool *is_on_stacks);
/* endless */
VG_MUST_CHECK struct vg_error *vg_safety_check_endless(struct vg_patch_build *build,
						       struct vg_change *change);
/* safety_noreturn.c: by the source, or by what is known of libraries */
bool vg_safety_is_noreturn(const struct vg_type_table *types, const struct vg_item *function);
/* safety_labels.c, data: labels of a changed function that live data may hold */
VG_MUST_CHECK struct vg_error *vg_safety_check_labels(struct vg_patch_build *build,
						      struct vg_change *change);
/* data: records of places in new code that nobody will read; needs all pieces */
VG_MUST_CHECK struct vg_error *vg_safety_check_records(struct vg_patch_build *build);
/* lto; needs the match of all changes */
VG_MUST_CHECK struct vg_error *vg_safety_check_lto(struct vg_patch_build *build);
/* lto: the old code of a unit with -flto is not in the target */
VG_MUST_CHECK struct vg_error *
vg_safety_refuse_lto(struct vg_patch_build *build, struct vg_pair *pair, const struct vg_item *pre);
/* ambiguous: two functions that the linker folded into one; needs the match of all changes */
VG_MUST_CHECK struct vg_error *vg_safety_check_folded(struct vg_patch_build *build);
/* signature; needs the match of all changes */
VG_MUST_CHECK struct vg_error *vg_safety_check_callers(struct vg_patch_build *build);
/*
 * safety_users.c: what of the target uses the entry of a function, calls from replaced code not
 * counted: words for a sentence, or NULL.
 */
VG_MUST_CHECK struct vg_error *vg_safety_find_user(struct vg_patch_build *build,
						   const struct vg_item *pre,
						   const struct vg_match *match, const char **user);

#endif
