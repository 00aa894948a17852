/* SPDX-License-Identifier: MIT */
/* One program of the corpus in one configuration, from compiling it to its exit. */
#ifndef TESTS_CORPUS_SESSION_H
#define TESTS_CORPUS_SESSION_H

#include <stdbool.h>

#include "tests/corpus/expect.h"
#include "tests/corpus/workspace.h"

struct session {
	const char *vgraft;
	const char *folder;    /* of the program */
	const char *directory; /* to be made, and removed again after success */
	const struct expect *expect;
	struct configuration configuration;
	bool names_are_checked;
	bool keep; /* the directory, also after success */
};

/* The error says what was expected and what came instead. */
VG_MUST_CHECK struct vg_error *session_run(const struct session *session);

#endif
