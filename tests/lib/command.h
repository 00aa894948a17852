/* SPDX-License-Identifier: MIT */
/* vgraft as a user runs it, with --json: exit code and the one object that it prints. */
#ifndef TESTS_LIB_COMMAND_H
#define TESTS_LIB_COMMAND_H

#include <jansson.h>

#include <vgraft/error.h>

/*
 * Runs `vgraft ARGUMENT... --json` from the build folder. `arguments` ends in NULL. *answer (owned
 * by the caller) is the first object printed, or NULL if there was none; *code the exit code.
 */
VG_MUST_CHECK struct vg_error *vg_command(const char *const arguments[], int *code,
					  json_t **answer);
/* As above; an exit code other than 0 is an error that holds what vgraft said. */
VG_MUST_CHECK struct vg_error *vg_command_must(const char *const arguments[], json_t **answer);

/* Members of an answer; "" and 0 if there is none of that name. */
const char *vg_answer_text(const json_t *answer, const char *key);
double vg_answer_number(const json_t *answer, const char *key);

static inline void vg_answer_cleanup(json_t **answer)
{
	json_decref(*answer);
}

#define _cleanup_answer_ __attribute__((cleanup(vg_answer_cleanup)))

#endif
