/* SPDX-License-Identifier: MIT */
/*
 * A small project of three units, built for each test, and what becomes of it when a diff is
 * compiled (differ/unit.h).
 */
#ifndef TESTS_LIB_UNITS_PROJECT_H
#define TESTS_LIB_UNITS_PROJECT_H

#include <stdbool.h>

#include <vgraft/error.h>

#include "differ/unit.h"

#define FIX_MAIN                                                                                   \
	"sed -i 's/return clamp(x) + 1;/int y = clamp(x);\\n\\tif (y < 0)\\n\\t\\treturn 0;\\n"    \
	"\\treturn y + 1;/' src/main.c"

/* What the next diff is compiled with, and what came of the last one. */
struct vg_units_tested {
	struct vg_units units;
	const char *source, *compdb, *target;
	bool own_build_directory;
	char explained[65536];
};
extern struct vg_units_tested vg_tested;

/* A checked fixture of Check. */
void vg_units_enter(void);
void vg_units_leave(void);

/* Writes fix.diff: what the shell command does to a copy of the tree. */
void vg_units_make_diff(const char *command);
/* A compdb whose entries all run `compiler` in `directory`; `sources` ends with NULL. */
void vg_units_write_compdb(const char *path, const char *directory, const char *compiler,
			   const char *const sources[]);

struct vg_error *vg_units_try(const char *diff);
void vg_units_must_compile(const char *diff);
/* With that code, with `words` in its sentence, and nothing left behind. */
void vg_units_must_fail(const char *diff, enum vg_code code, const char *words);

/* The files of the units, in their order, with a blank behind each. */
const char *vg_units_files(void);
bool vg_units_has_note(const char *words);
/* The code of one function of an object as hex, from its own section; malloc. */
char *vg_units_code_of(const char *object, const char *function);
/* Of the first unit, before and after. */
void vg_units_assert_same_code(const char *function, bool same);

#endif
