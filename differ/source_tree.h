/* SPDX-License-Identifier: MIT */
/*
 * The source tree with the diffs applied, in memory: the tree itself is only ever read.
 */
#ifndef DIFFER_SOURCE_TREE_H
#define DIFFER_SOURCE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <vgraft/error.h>

#include "differ/compile_words.h"
#include "differ/diff.h"
#include "differ/source_tree_text.h"

/* A file that a diff touches. */
struct vg_touched {
	char *path;	/* relative to the root, without symbolic links, "." or ".." */
	char *absolute; /* root/path */
	char *from;	/* renamed or copied from (relative), or NULL */
	char *bytes;	/* as it is in the tree; NULL if created */
	size_t size;
	struct stat st;	     /* of the file in the tree; undefined if created */
	struct vg_text text; /* patched */
	bool created;	     /* not in the tree */
	bool deleted;	     /* not in the patched tree */
	ino_t shadow_inode;  /* of the patched copy, while there is one */
	dev_t shadow_device;
	bool reached; /* some unit compiles or includes it */
	bool binary;  /* touched, but its new content is not known */
};

struct vg_source_tree {
	char *root; /* canonical */
	bool exact; /* the diffs were made for this very source, whose checksums say so */
	struct vg_touched *files;
	size_t count;
	struct vg_diff **diffs; /* kept: patched lines point into them */
	size_t diff_count;
	struct vg_words notes;
};

/* A root that is missing or no directory: VG_USAGE. */
VG_MUST_CHECK struct vg_error *vg_source_tree_open(const char *root, struct vg_source_tree *tree);

/*
 * Applies one diff file on top of those before it, whole or not at all. The strip level is found
 * by trial: the one at which every file is found and every hunk applies.
 */
VG_MUST_CHECK struct vg_error *vg_source_tree_apply(struct vg_source_tree *tree,
						    const char *diff_path);
void vg_source_tree_clear(struct vg_source_tree *tree);

/* The touched file that is this inode in the tree, or NULL. */
struct vg_touched *vg_source_tree_find(const struct vg_source_tree *tree, const struct stat *st);
struct vg_touched *vg_source_tree_by_path(const struct vg_source_tree *tree, const char *path);

#endif
