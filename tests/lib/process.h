/* SPDX-License-Identifier: MIT */
/*
 * A child process with pipes on its standard streams. What it prints is kept, from the first byte
 * on, so that a test can look for a line that came before it looked. Every wait ends by itself
 * after VG_HANG_SECONDS, with an error that holds what the child has said.
 *
 * A child dies with the test that started it, whatever ends the test.
 *
 * Thread context: one thread at a time.
 */
#ifndef TESTS_LIB_PROCESS_H
#define TESTS_LIB_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <vgraft/error.h>

#define VG_HANG_SECONDS 60

/* Everything that came through one pipe; always ends in a NUL that is not counted. */
struct vg_capture {
	int fd; /* -1 once the child has closed its end */
	char *text;
	size_t length;
};

struct vg_process {
	pid_t pid;
	int pidfd;
	int input; /* to the child's standard input; -1 once closed */
	struct vg_capture output;
	struct vg_capture messages; /* standard error */
	bool reaped;
	int status; /* as waitpid() has it, once reaped */
};

/* `argv` ends in NULL; argv[0] is looked for in PATH. The caller frees with vg_process_free(). */
struct vg_error *vg_process_start(const char *const argv[], struct vg_process **out) VG_MUST_CHECK;

/* Waits at most `milliseconds` for output or the end; takes what there is. */
struct vg_error *vg_process_pump(struct vg_process *process, int milliseconds) VG_MUST_CHECK;

/*
 * Waits until `done` is true. It is asked again after each output of the child and at least every
 * 10 ms; the child's end is an error unless `done` is true then.
 */
struct vg_error *vg_process_wait(struct vg_process *process, bool (*done)(void *), void *argument,
				 const char *what) VG_MUST_CHECK;

/*
 * Waits for `text` in what came through `capture` at or after `from`; *found is set to where it
 * begins. `found` may be NULL.
 */
struct vg_error *vg_process_wait_text(struct vg_process *process, struct vg_capture *capture,
				      size_t from, const char *text, size_t *found) VG_MUST_CHECK;

/* Waits for the end and takes all output. Read `status` afterwards. */
struct vg_error *vg_process_wait_end(struct vg_process *process) VG_MUST_CHECK;

struct vg_error *vg_process_send(struct vg_process *process, const char *text) VG_MUST_CHECK;
void vg_process_close_input(struct vg_process *process);

/* The exit code, or 128 plus the signal's number. The process must have been reaped. */
int vg_process_exit_code(const struct vg_process *process);

/* Kills the child if it still runs, and frees everything. NULL is allowed. */
void vg_process_free(struct vg_process *process);

/* Runs a command to its end; *code is its exit code. *out, if wanted, holds all it said. */
struct vg_error *vg_process_run(const char *const argv[], int *code,
				struct vg_process **out) VG_MUST_CHECK;

/* Runs a command that must exit with 0. */
struct vg_error *vg_process_must_run(const char *const argv[]) VG_MUST_CHECK;

static inline void vg_process_cleanup(struct vg_process **process)
{
	vg_process_free(*process);
}

#define _cleanup_process_ __attribute__((cleanup(vg_process_cleanup)))

#endif
