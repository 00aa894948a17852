/* SPDX-License-Identifier: MIT */
/*
 * A program of the corpus, copied and compiled:
 *
 *   DIRECTORY/source/   the folder's sources, and what #includes them
 *   DIRECTORY/out/      objects, the target, compile_commands.json; patches are written here
 */
#ifndef TESTS_CORPUS_WORKSPACE_H
#define TESTS_CORPUS_WORKSPACE_H

#include <vgraft/error.h>

#include "tests/corpus/expect.h"
#include "tests/corpus/run.h"

/* How a program is compiled this time. */
struct configuration {
	const char *cc;
	const char *level; /* "-O0"; NULL: as the program's flags say */
	enum target_type type;
};

struct workspace {
	const char *folder; /* of the program in the corpus */
	char *directory, *source, *out;
	char *target;	  /* the ELF file that is patched */
	char *executable; /* what is started: the target, or the launcher of the library */
};

/* Makes DIRECTORY, which must not exist, and builds the program in it. */
VG_MUST_CHECK struct vg_error *workspace_make(struct workspace *workspace,
					      const struct expect *expect,
					      const struct configuration *configuration);
/* Names, sizes and times of all files of the source tree: two are equal if nothing was touched. */
VG_MUST_CHECK struct vg_error *workspace_source_state(const struct workspace *workspace,
						      char **state);
void workspace_remove(const struct workspace *workspace);
void workspace_clear(struct workspace *workspace);

#endif
