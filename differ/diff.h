/* SPDX-License-Identifier: MIT */
/*
 * A unified diff, as git diff and diff -u write it: which files it names and its hunks.
 * A diff is untrusted input: every count is checked against the lines that are there.
 */
#ifndef DIFFER_DIFF_H
#define DIFFER_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

struct vg_diff_line {
	char tag; /* ' ', '-', '+' */
	bool newline;
	const char *text; /* behind the tag, without the newline; points into the diff */
	size_t length;
};

struct vg_hunk {
	unsigned at; /* line in the diff file, for errors */
	unsigned old_start, old_count, new_start, new_count;
	struct vg_diff_line *lines;
	size_t line_count;
};

struct vg_diff_file {
	unsigned at;	      /* line in the diff file */
	char *old_name;	      /* with its prefix (a/), NULL for /dev/null */
	char *new_name;	      /* with its prefix (b/), NULL for /dev/null */
	bool git;	      /* from a `diff --git` header */
	bool created;	      /* as the git header says; diff -u shows it by /dev/null or @@ -0,0 */
	bool deleted;	      /* likewise */
	bool renamed, copied; /* old_name is where the content comes from */
	bool binary;	      /* its content is not in the diff as text */
	bool special;	      /* a symbolic link or a submodule */
	bool crlf;	      /* the diff was turned to CRLF in transit: its headers end in CR LF */
	struct vg_hunk *hunks;
	size_t hunk_count;
};

struct vg_diff {
	char *path; /* for errors */
	char *text;
	bool exact; /* made for this very source: line numbers alone may tell a place */
	struct vg_diff_file *files;
	size_t file_count;
};

/* Missing, unreadable, empty or not a unified diff: VG_USAGE. A damaged hunk: VG_REFUSED. */
VG_MUST_CHECK struct vg_error *vg_diff_open(const char *path, struct vg_diff **diff);
/* Parses a copy of `text`. `origin` names it in errors. */
VG_MUST_CHECK struct vg_error *vg_diff_parse(const char *text, size_t size, const char *origin,
					     struct vg_diff **diff);
void vg_diff_free(struct vg_diff *diff); /* NULL is allowed */
static inline void vg_diff_cleanup(struct vg_diff **diff)
{
	vg_diff_free(*diff);
}

#endif
