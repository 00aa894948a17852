/* SPDX-License-Identifier: MIT */
/*
 * A program before and after a change, compiled, linked and given to the object half of the differ;
 * the patch can then be run inside the program (tests/lib/patch_loader.c).
 */
#ifndef TESTS_LIB_DIFFER_CASE_H
#define TESTS_LIB_DIFFER_CASE_H

#include <vgraft/differ.h>

struct differ_case {
	const char *compiler;	     /* NULL: gcc */
	const char *flags;	     /* NULL: "-O2 -g -fPIE" */
	const char *link;	     /* NULL: "-pie" */
	const char *pre, *post;	     /* source of main.c */
	const char *pre2, *post2;    /* NULL, or of other.c, a second unit of the diff */
	const char *rest;	     /* NULL, or of rest.c, which the diff does not reach */
	const char *target;	     /* NULL, or what main.c of the target really was */
	const char *target_compiler; /* NULL: `compiler` */
	const char *allow;	     /* NULL, or a rule */
	bool strip;		     /* strip the target */
	bool explain;		     /* print the decisions */

	/* Out: */
	char directory[64];
	struct vg_build_result result;
	struct vg_error *error;
};

void differ_case_run(struct differ_case *test);
/* The object half once more, on what lies in the directory now. */
void differ_case_build(struct differ_case *test);
void differ_case_clear(struct differ_case *test);
/*
 * Standard output of the target: as it is, patched, armed to its displaced instructions; or of the
 * program that is built from the new source.
 */
char *differ_case_output(struct differ_case *test, const char *command);
#define AS_IT_IS  "./target"
#define REBUILT	  "./rebuilt"
#define PATCHED	  "LD_PRELOAD=./loader.so LOADER_PATCH=./out.vgp ./target"
#define DISPLACED "LOADER_DISPLACED=1 " PATCHED

#endif
