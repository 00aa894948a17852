/* SPDX-License-Identifier: MIT */
/* The source half of the differ on its way from a request to compiled units. */
#ifndef DIFFER_UNITS_H
#define DIFFER_UNITS_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/differ.h>
#include <vgraft/error.h>

#include "differ/compile_commands.h"
#include "differ/compile_flags.h"
#include "differ/compile_shadow.h"
#include "differ/source_tree.h"
#include "differ/unit.h"

/* A unit that is going to be compiled. */
struct vg_planned_unit {
	const struct vg_compile_command *command;
	struct vg_compile_flags flags;
	char *file;	  /* relative to the source tree, if it lies there */
	char *post_input; /* absolute: the diff renamed the source; else NULL */
	char *pre_object, *post_object, *plain_object, *lined_object;
	char *dependencies; /* of the post compilation */
};

struct vg_unit_plan {
	const struct vg_build_request *request; /* only while vg_units_compile() runs */
	struct vg_source_tree tree;
	struct vg_compile_commands commands;
	struct vg_planned_unit *units;
	size_t count;
	struct vg_words spelled; /* touched files as include paths lead to them */
	struct vg_words notes;
	char *directory; /* the private one */
	int lock;	 /* says that its owner lives */
	char *links;	 /* private, for the shadows, in memory; NULL: in `directory` */
	int links_lock;
	char *temp;	       /* directory/temp, for the compilers' own files */
	struct vg_shadow pre;  /* the source as it is */
	struct vg_shadow post; /* the patched source */
	unsigned extras;
	struct vg_defining_unit **defining; /* compiled so far */
	size_t defining_count;
};

void vg_units_explain(const struct vg_build_request *request, const char *format, ...)
	VG_PRINTF(2, 3);

/*
 * units_directory.c: private directories, and the end of those whose owner died. vg_private_links()
 * leaves *directory NULL where there is no better place than the first one.
 */
VG_MUST_CHECK struct vg_error *vg_private_directory(const char *source, char **directory,
						    int *lock);
VG_MUST_CHECK struct vg_error *vg_private_links(char **directory, int *lock);
void vg_private_directory_keep(const char *directory);

/* units_generated.c: what the build makes from touched files becomes touched too. */
VG_MUST_CHECK struct vg_error *vg_units_generate(struct vg_unit_plan *plan);
/* units_reach.c: fills plan->units. */
VG_MUST_CHECK struct vg_error *vg_units_reach(struct vg_unit_plan *plan);
/* units_check.c, after the compilation: touched files that no unit read are refused or noted. */
VG_MUST_CHECK struct vg_error *vg_units_check_reached(struct vg_unit_plan *plan);
/* units_names.c */
bool vg_is_never_compiled(const char *path); /* documentation, build description, scripts */

/* units_shadow.c: makes the folders that the units need real, and the patched copies. */
VG_MUST_CHECK struct vg_error *vg_units_shadow(struct vg_unit_plan *plan);
VG_MUST_CHECK struct vg_error *vg_units_write_patched(struct vg_unit_plan *plan, bool resync);
VG_MUST_CHECK struct vg_error *vg_units_mirror(struct vg_unit_plan *plan);
VG_MUST_CHECK struct vg_error *vg_units_command_folder(struct vg_unit_plan *plan,
						       const struct vg_compile_command *command);

/* units_narrow.c: leaves out units that include a touched file and cannot be changed by it. */
VG_MUST_CHECK struct vg_error *vg_units_narrow(struct vg_unit_plan *plan);

/* units_run.c: runs the compilers. */
VG_MUST_CHECK struct vg_error *vg_units_run(struct vg_unit_plan *plan);

/*
 * units_absolute.c: includes by an absolute path lead to the patched copies, in all files that a
 * compilation has read; in one text, which is replaced if it has any.
 */
VG_MUST_CHECK struct vg_error *vg_units_lead_inside(struct vg_unit_plan *plan);
VG_MUST_CHECK struct vg_error *vg_units_lead_text_inside(const struct vg_unit_plan *plan,
							 char **text, size_t *size, bool *changed);

/* units_lines.c: the patched source once more, under its own line numbers. */
VG_MUST_CHECK struct vg_error *vg_units_compile_lined(struct vg_unit_plan *plan);

/* units_defining.c */
void vg_units_defining_clear(struct vg_unit_plan *plan);

/* units_message.c: the first error in a compiler's output as "FILE:LINE: message"; malloc. */
char *vg_compiler_message(const struct vg_unit_plan *plan, const char *log, const char *directory);

#endif
