/* SPDX-License-Identifier: MIT */
/* File names in the headers of a diff: timestamps, git's C-style quoting, /dev/null. */
#ifndef DIFFER_DIFF_NAME_H
#define DIFFER_DIFF_NAME_H

#include <stddef.h>

#include <vgraft/error.h>

/* The name behind "--- " or "+++ "; *name is NULL for /dev/null. */
VG_MUST_CHECK struct vg_error *vg_diff_name(const char *text, size_t length, char **name);

/* Both names of "diff --git NAME NAME"; NULL where the line alone cannot tell. */
VG_MUST_CHECK struct vg_error *vg_diff_git_names(const char *text, size_t length, char **old_name,
						 char **new_name);

#endif
