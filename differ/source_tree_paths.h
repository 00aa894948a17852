/* SPDX-License-Identifier: MIT */
/* From a name in a diff to a file in the source tree, or to a refusal. */
#ifndef DIFFER_SOURCE_TREE_PATHS_H
#define DIFFER_SOURCE_TREE_PATHS_H

#include <stdbool.h>

#include <vgraft/error.h>

/* Refuses names that no strip level may turn into a path: those with a ".." component. */
VG_MUST_CHECK struct vg_error *vg_diff_name_check(const char *name, const char *diff,
						  unsigned line);
unsigned vg_diff_name_depth(const char *name); /* highest strip level that leaves something */
/* The name without `level` leading components; NULL if nothing or an absolute path is left. */
const char *vg_diff_name_strip(const char *name, unsigned level);

/*
 * Resolves a path below `root`. *found: it is there. A file that is not a regular one or that
 * lies outside of the tree behind symbolic links is refused. *path (malloc): relative, canonical;
 * for a file that is not there, as given.
 */
VG_MUST_CHECK struct vg_error *vg_source_path(const char *root, const char *name, bool *found,
					      char **path);
/* Is there a directory in which a new file of this name would lie? */
bool vg_source_has_parent(const char *root, const char *name);

#endif
