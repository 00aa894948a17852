/* SPDX-License-Identifier: MIT */
/*
 * A compile command, understood: what of it makes code, and what merely says where output goes.
 */
#ifndef DIFFER_COMPILE_FLAGS_H
#define DIFFER_COMPILE_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

#include "differ/compile_commands.h"
#include "differ/compile_shadow.h"
#include "differ/compile_words.h"

struct vg_compile_flags {
	struct vg_words words;	     /* compiler and flags that stay, with the input among them */
	size_t input;		     /* index of the input file in words; 0: none was found */
	struct vg_words prefix_maps; /* -f*-prefix-map= of the project with absolute paths */
	bool clang;
	bool c_language;	/* not C++, assembler, … */
	bool compiles;		/* makes an object: no -E, -S, -fsyntax-only */
	bool lto;		/* had -flto */
	bool profile;		/* counts arcs, or uses the counts */
	char *stem;		/* the object of the build without its extension */
	bool debug;		/* full debug information is on */
	bool function_sections; /* already on, both of -ffunction-sections -fdata-sections */
	bool data_sections;
	struct vg_words dropped; /* for --explain */
};

VG_MUST_CHECK struct vg_error *vg_compile_flags_read(const struct vg_compile_command *command,
						     struct vg_compile_flags *flags);
void vg_compile_flags_clear(struct vg_compile_flags *flags);

enum vg_compile_kind {
	VG_COMPILE_SECTIONS, /* + -ffunction-sections -fdata-sections, -g if there was none */
	VG_COMPILE_PLAIN,    /* as the project compiles it */
	VG_COMPILE_SCAN,     /* only what it includes: -M */
	VG_COMPILE_TEXT,     /* preprocesses: -E */
};

/*
 * The command line for the shadow. `input`: another file than the command's (absolute), or NULL.
 * `dependencies`: file for what was read, or NULL.
 */
VG_MUST_CHECK struct vg_error *
vg_compile_flags_command(const struct vg_compile_flags *flags, const struct vg_shadow *shadow,
			 enum vg_compile_kind kind, const char *input, const char *output,
			 const char *dependencies, struct vg_words *words);

/* Folders whose precompiled headers would hide a header: those of -include (see shadow). */
VG_MUST_CHECK struct vg_error *vg_compile_flags_forced(const struct vg_compile_flags *flags,
						       struct vg_words *files);
/*
 * The option of `word` that takes a path in which files are looked for (-I, -include, ...), or
 * NULL; *separate: the path is the next word.
 */
const char *vg_path_option(const char *word, bool *separate);
bool vg_is_c_file(const char *path);
bool vg_is_unit_file(const char *path); /* of any language: .c, .cc, .S, … */

#endif
