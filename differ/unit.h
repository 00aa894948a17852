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
	char *file; /* source file, relative to the source tree (or absolute, if outside) */
	/*
	 * Compiled from the source as it is, with the project's flags and -ffunction-sections
	 * -fdata-sections, and -g2 if those have no full debug information.
	 */
	char *pre_object;
	char *post_object; /* compiled from the patched source, same flags, lines re-synchronised */
	char *lined_object; /* --explain: like post_object, with the patched file's own line
			     * numbers; else NULL */
	/*
	 * As it is, with the project's own flags: the oracle for old bytes. Where those have
	 * -ffunction-sections -fdata-sections and -g themselves it is pre_object.
	 */
	char *pre_object_plain;
	/*
	 * What the compiler writes into .comment, e.g. "GCC: (Debian 12.2.0-14) 12.2.0", so that it
	 * can be compared with the target's; the first line of --version where there is none.
	 */
	char *compiler;
	bool lto_dropped; /* the project's flags had -flto */
	char *output;	  /* the object that the project's build makes of it (absolute), or NULL.
			   * One source compiled with different flags gives several units of the same
			   * file, e.g. libtool's with and without -fPIC: the target has one of them. */
};

struct vg_units {
	struct vg_unit *units; /* sorted by file: the same inputs give the same order */
	size_t count;
	char *root;	 /* canonical path of the source tree; NULL in tests without one */
	char *directory; /* the private directory in which everything lies */
	char **notes;	 /* sentences for people, e.g. "-flto dropped for …" */
	size_t note_count;
	/* No units: the diffs touch nothing but what is never compiled (documentation, …). */
	char **touched; /* files that the diffs touch, relative to the source tree */
	size_t touched_count;
	struct vg_unit_plan *plan; /* of the source half: flags and folders for one more file */
};

/*
 * Reads the diffs, finds the units that they reach, compiles each pre and post in a private
 * directory. VG_USAGE: a file is missing or unreadable. VG_REFUSED: the diff does not apply or a
 * unit does not compile; the sentence names file and line (the compiler's first error).
 * On failure the private directory is gone and *units is empty, but with keep_temp for its name.
 */
VG_MUST_CHECK struct vg_error *vg_units_compile(const struct vg_build_request *request,
						struct vg_units *units);

/*
 * The text of a source line, without its indent: of the tree, or as the diffs leave it. NULL if
 * there is none; malloc.
 */
char *vg_units_source_line(const struct vg_units *units, bool post, const char *file,
			   unsigned line);

/* Frees the list; removes the private directory unless `keep`. */
void vg_units_clear(struct vg_units *units, bool keep);

/*
 * Compiles one more C file (a hook) with the flags of the first unit; used for --hooks.
 * The object lies in the private directory.
 */
VG_MUST_CHECK struct vg_error *vg_units_compile_extra(struct vg_units *units, const char *file,
						      char **object);

/*
 * units_text.c: preprocesses the unit as it was before the change, or as it is after it; malloc.
 * NULL if it cannot be done: no plan is at hand.
 */
VG_MUST_CHECK struct vg_error *vg_units_text(const struct vg_units *units,
					     const struct vg_unit *unit, bool post, char **text);
/*
 * *found: one of the words (up to a NULL) stands in a file that the unit is compiled of, before or
 * after the change.
 */
VG_MUST_CHECK struct vg_error *vg_units_read_words(const struct vg_units *units,
						   const struct vg_unit *unit,
						   const char *const *words, bool *found);

/*
 * units_defining.c: units of the project that the diff does not reach and that may define a symbol,
 * compiled as they are. At most `room` of them; they live as long as the units do. None without a
 * plan at hand.
 */
struct vg_defining_unit {
	const struct vg_compile_command *command;
	const char *file;	     /* absolute */
	char *object, *plain_object; /* as pre_object and pre_object_plain of a unit */
	bool compiled;
};
VG_MUST_CHECK struct vg_error *vg_units_defining(const struct vg_units *units, const char *name,
						 struct vg_defining_unit **found, size_t room,
						 size_t *count);

/* units_hooks.c: the files of --hooks become units behind the others, all of them new. */
VG_MUST_CHECK struct vg_error *vg_units_add_hooks(const struct vg_build_request *request,
						  struct vg_units *units);

#endif
