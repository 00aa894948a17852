/* SPDX-License-Identifier: MIT */
/*
 * Can a change of what a unit includes change its code? Decided by the preprocessed text before and
 * after, cut into declarations at file scope.
 */
#ifndef DIFFER_DECLARATIONS_H
#define DIFFER_DECLARATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

/*
 * *alike: no function and no variable that the unit defines mentions, directly or through other
 * declarations, what is declared differently. false when in doubt.
 */
VG_MUST_CHECK struct vg_error *vg_declarations_alike(const char *pre, size_t pre_size,
						     const char *post, size_t post_size,
						     bool *alike);

#endif
