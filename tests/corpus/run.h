/* SPDX-License-Identifier: MIT */
/* Commands that the harness runs to their end: compilers and vgraft itself. */
#ifndef TESTS_CORPUS_RUN_H
#define TESTS_CORPUS_RUN_H

#include <stddef.h>

#include <vgraft/error.h>

#define RUN_HANG_SECONDS  60 /* no command of the corpus takes nearly as long */
#define RUN_MAX_ARGUMENTS 96

/* Words of a command line; those from arguments_split() are owned by the list. */
struct arguments {
	char *words[RUN_MAX_ARGUMENTS + 1]; /* NULL-terminated */
	size_t count;
};
void arguments_add(struct arguments *arguments, const char *word);
void arguments_addf(struct arguments *arguments, const char *format, ...) VG_PRINTF(2, 3);
void arguments_split(struct arguments *arguments, const char *text); /* at blanks */
void arguments_clear(struct arguments *arguments);

struct run {
	int code; /* exit code; 128 + N if signal N ended it */
	char *out, *err;
};
void run_clear(struct run *run);

/* An error only if the command cannot be started or hangs; its exit code is in run->code. */
VG_MUST_CHECK struct vg_error *run_command(const struct arguments *arguments, const char *directory,
					   struct run *run);

#endif
