/* SPDX-License-Identifier: MIT */
/*
 * A translation unit that the diff reaches, compiled twice: the border between the half of the
 * differ that knows source, diffs and compilers, and the half that knows objects and the target.
 */
#ifndef DIFFER_UNIT_H
#define DIFFER_UNIT_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/differ.h>
#include <vgraft/error.h>

struct vg_unit {
	char *file;	   /* source file, relative to the source tree (or absolute, if outside) */
	char *pre_object;  /* compiled from the source as it is, -ffunction-sections -fdata-sections
			    */
	char *post_object; /* compiled from the patched source, same flags, lines re-synchronised */
	char *pre_object_plain; /* as it is, with the project's own flags: the oracle for old bytes
				 */
	char *compiler; /* producer as the compiler tells it, e.g. "GNU C17 12.2.0" or "clang …" */
	bool lto_dropped; /* the project's flags had -flto */
};

struct vg_units {
	struct vg_unit *units; /* sorted by file: the same inputs give the same order */
	size_t count;
	char *directory; /* the private directory in which everything lies */
	char **notes;	 /* sentences for people, e.g. "-flto dropped for …" */
	size_t note_count;
	char **touched; /* files that the diffs touch, relative to the source tree */
	size_t touched_count;
};

/*
 * Reads the diffs, finds the units that they reach, compiles each pre and post in a private
 * directory. VG_USAGE: a file is missing or unreadable. VG_REFUSED: the diff does not apply or a
 * unit does not compile; the sentence names file and line (the compiler's first error).
 * On failure the private directory is gone (unless keep_temp) and *units is empty.
 */
VG_MUST_CHECK struct vg_error *vg_units_compile(const struct vg_build_request *request,
						struct vg_units *units);

/* Frees the list; removes the private directory unless `keep`. */
void vg_units_clear(struct vg_units *units, bool keep);

/*
 * Compiles one more C file (a hook) with the flags of the first unit; used for --hooks.
 * The object lies in the private directory.
 */
VG_MUST_CHECK struct vg_error *vg_units_compile_extra(struct vg_units *units, const char *file,
						      char **object);

#endif
