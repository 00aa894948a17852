/* SPDX-License-Identifier: MIT */
/*
 * The compile commands of a project: compile_commands.json (clang's JSON Compilation Database
 * Format), found, named, or captured from a build.
 */
#ifndef DIFFER_COMPILE_COMMANDS_H
#define DIFFER_COMPILE_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

#include "differ/compile_words.h"

struct vg_compile_command {
	char *directory;	   /* absolute, as spelled */
	char *file;		   /* as spelled; may be relative to the directory */
	char *path;		   /* absolute, by text: directory and file */
	char *output;		   /* object file, absolute, or NULL if the entry does not tell */
	struct vg_words arguments; /* from the compiler on, response files read in */
};

struct vg_compile_commands {
	char *path; /* of the compdb, the first one, for errors */
	struct vg_compile_command *commands;
	size_t count;
};

/*
 * Finds the compdb when none is named: beside the target and up to the source root, in the source
 * root, in build* below it. Not there: VG_USAGE, with the ways to get one. *path: malloc.
 */
VG_MUST_CHECK struct vg_error *vg_compile_commands_find(const char *source, const char *target,
							char **path);

/* Adds the entries of one compdb. Missing, unreadable or not a compdb: VG_USAGE. */
VG_MUST_CHECK struct vg_error *vg_compile_commands_add(const char *path,
						       struct vg_compile_commands *commands);
void vg_compile_commands_clear(struct vg_compile_commands *commands);

/* Splits a shell-quoted command line into words; an open quote ends with the text. */
void vg_command_split(const char *text, struct vg_words *words);

#endif
