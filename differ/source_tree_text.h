/* SPDX-License-Identifier: MIT */
/*
 * A source file as lines that remember where they come from: the material that hunks are applied
 * to, and from which the patched file is written with its line numbers re-synchronised.
 * The lines point into buffers that the source tree and its diffs own.
 */
#ifndef DIFFER_SOURCE_TREE_TEXT_H
#define DIFFER_SOURCE_TREE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

#include "differ/diff.h"

struct vg_line {
	const char *text; /* without the newline */
	size_t length;
	unsigned origin; /* line number before all diffs; 0: a diff put it there */
	bool newline;
};

struct vg_text {
	struct vg_line *lines;
	size_t count;
};

VG_MUST_CHECK struct vg_error *vg_text_split(const char *bytes, size_t size, struct vg_text *text);
VG_MUST_CHECK struct vg_error *vg_text_copy(const struct vg_text *text, struct vg_text *copy);
void vg_text_clear(struct vg_text *text);

/*
 * Applies the hunks of one file in order. Context and removed lines must match byte for byte; a
 * hunk that does not match where its header says is looked for behind the hunk before it, and
 * taken when exactly one place matches; *moved counts those. Otherwise VG_REFUSED with the line
 * of the diff and of the file; `name` is the file in errors.
 */
VG_MUST_CHECK struct vg_error *vg_text_apply(struct vg_text *text, const struct vg_diff *diff,
					     const struct vg_diff_file *file, const char *name,
					     size_t *moved);

/* The text as it is: *bytes is malloc. */
VG_MUST_CHECK struct vg_error *vg_text_render(const struct vg_text *text, char **bytes,
					      size_t *size);

/*
 * The text with `#line` directives, so that every unchanged line is compiled under the number it
 * had before the diffs: see source_tree_resync.c.
 */
VG_MUST_CHECK struct vg_error *vg_text_render_resynced(const struct vg_text *text, char **bytes,
						       size_t *size);

#endif
