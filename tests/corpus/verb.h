/* SPDX-License-Identifier: MIT */
/* vgraft as a user runs it: the command, its exit code, its JSON. */
#ifndef TESTS_CORPUS_VERB_H
#define TESTS_CORPUS_VERB_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include <vgraft/error.h>

#include "tests/corpus/expect.h"
#include "tests/corpus/workspace.h"

#define PATCH_NAME "corpus-fix"

struct verbs {
	const char *vgraft; /* path of the command */
	const struct workspace *workspace;
	const char *object;	/* path of the patch object */
	bool names_are_checked; /* false: another configuration may change other functions */
};

/* Builds the change, expects what it promises. */
VG_MUST_CHECK struct vg_error *verb_build(const struct verbs *verbs, const struct change *change);
/* Builds it once more: the same inputs give the same bytes. */
VG_MUST_CHECK struct vg_error *verb_rebuild(const struct verbs *verbs, const struct change *change);
VG_MUST_CHECK struct vg_error *verb_inspect(const struct verbs *verbs, const struct change *change);
/* check, apply, revert: expects `result` and the exit code that belongs to it. */
VG_MUST_CHECK struct vg_error *verb_process(const struct verbs *verbs, const char *verb, pid_t pid,
					    const char *result, int threads);
/* check, apply: expects `busy`, and a blocker that stands in `function`. */
VG_MUST_CHECK struct vg_error *verb_busy(const struct verbs *verbs, const char *verb, pid_t pid,
					 const char *function);
/* Expects the patch in the state `applied`, or, if not `applied`, no line. */
VG_MUST_CHECK struct vg_error *verb_status(const struct verbs *verbs, const struct change *change,
					   pid_t pid, bool applied);

#endif
