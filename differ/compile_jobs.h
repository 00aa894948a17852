/* SPDX-License-Identifier: MIT */
/* Compilers run in parallel, one per processor. */
#ifndef DIFFER_COMPILE_JOBS_H
#define DIFFER_COMPILE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <vgraft/error.h>

#include "differ/compile_words.h"

struct vg_job {
	struct vg_words command;
	char *directory; /* working directory */
	char *log;	 /* file that takes stdout and stderr */
	int status;	 /* as of waitpid(2), when done */
};

/*
 * Runs all jobs; temporary files of the compilers lie in `temp`. A job that fails is not an error
 * here: see its status. VG_FAILED: a program cannot be started (named), or SIGINT, SIGTERM or
 * SIGHUP came: the children are gone then, and the signal is delivered when the caller returns to
 * where it was not blocked (see vg_jobs_block_signals).
 */
VG_MUST_CHECK struct vg_error *vg_jobs_run(struct vg_job *jobs, size_t count, const char *temp);
void vg_job_clear(struct vg_job *job);
bool vg_job_succeeded(const struct vg_job *job);

/*
 * The signals that end the tool stay pending between these two, so that the private directory can
 * be removed first. `saved` is for restore.
 */
void vg_jobs_block_signals(void *saved);   /* sigset_t */
void vg_jobs_restore_signals(void *saved); /* sigset_t */

#endif
