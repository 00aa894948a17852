/* SPDX-License-Identifier: MIT */
/*
 * The patcher: a patch object and a live process.
 *
 * Each call works on one target and leaves it either entirely on old or entirely on new code. The
 * result is filled whether the call returns an error or not; an error means that the tool or the
 * system failed (VG_FAILED), or that the process is not there or not ours to touch (VG_USAGE,
 * VG_REFUSED). Refused and busy are results, not errors: `result->outcome` says so and
 * `result->reason` is the sentence.
 *
 * Thread context: the calling thread becomes the tracer for the duration of the call; the target
 * runs before and after it.
 */
#ifndef VGRAFT_PATCHER_H
#define VGRAFT_PATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

struct vg_patch; /* common/patch_object.h */

/* The words of the JSON key `result` for one target. */
enum vg_outcome {
	VG_OUTCOME_APPLIED,
	VG_OUTCOME_ALREADY,
	VG_OUTCOME_REVERTED,
	VG_OUTCOME_OK, /* check: it would go in now */
	VG_OUTCOME_REFUSED,
	VG_OUTCOME_BUSY,
	VG_OUTCOME_FAILED,
};
const char *vg_outcome_word(enum vg_outcome outcome);

struct vg_patch_options {
	double timeout;	      /* seconds; 0 = one attempt */
	bool strict;	      /* refuse to hide another patch's function */
	bool suspend_seccomp; /* opt-in: PTRACE_O_SUSPEND_SECCOMP around injected calls */
};

/* Who stands in the way. Strings are owned by the result. */
struct vg_blocker {
	pid_t tid;	    /* 0 for a coroutine */
	uint64_t coroutine; /* address of its saved context, 0 for a thread */
	char *name;	    /* thread name (comm) */
	char *function;	    /* changed function, or where the thread waits */
	char **backtrace;   /* "function+0x12 (module)", innermost first */
	size_t backtrace_count;
};

struct vg_hidden {
	char *patch;
	char *function;
};

struct vg_result {
	pid_t pid;
	char *patch;
	enum vg_outcome outcome;
	char *reason;	     /* NULL if there is nothing to say */
	const char *rule;    /* of a refusal, or NULL */
	double pause_us;     /* all stops with all threads stopped, retries included */
	double pause_max_us; /* the longest of them */
	double inject_us;    /* single threads held for injected calls */
	double hook_us;	     /* time in hooks, not counted in the pause */
	unsigned stops;
	unsigned threads;
	unsigned coroutines;
	bool recovered; /* an interrupted run was found and cleaned up first */
	struct vg_blocker *blockers;
	size_t blocker_count;
	struct vg_hidden *hides;
	size_t hide_count;
	char **replaced; /* patches that a replacing one took out, or (check, refused) would */
	size_t replaced_count;
	struct vg_patch *object; /* revert: the object found in the target; owned; else NULL */
	char **notes;		 /* sentences for people */
	size_t note_count;
};
void vg_result_clear(struct vg_result *result);

VG_MUST_CHECK struct vg_error *vg_apply(const struct vg_patch *patch, pid_t pid,
					const struct vg_patch_options *options,
					struct vg_result *result);
VG_MUST_CHECK struct vg_error *vg_check(const struct vg_patch *patch, pid_t pid,
					const struct vg_patch_options *options,
					struct vg_result *result);
VG_MUST_CHECK struct vg_error *vg_revert(const char *name, pid_t pid,
					 const struct vg_patch_options *options,
					 struct vg_result *result);

/* One patch found in a process, in the order of application. */
struct vg_applied {
	pid_t pid;
	char *exe;
	char *build_id; /* hex, of the primary module */
	char *patch;
	bool interrupted;	 /* false: applied */
	struct vg_patch *object; /* as carried in the area: name, functions, files; owned */
};
struct vg_status {
	struct vg_applied *applied;
	size_t count;
};
/* Reads only; stops nobody. */
VG_MUST_CHECK struct vg_error *vg_status_read(pid_t pid, struct vg_status *status);
void vg_status_clear(struct vg_status *status);
/*
 * An ELF file with the symbols and the unwind information of all patches in the process, at their
 * addresses there, for a debugger. The caller frees *bytes; without a patch it is NULL.
 */
VG_MUST_CHECK struct vg_error *vg_status_symbols(pid_t pid, uint8_t **bytes, size_t *count);

/* Processes that map a module with the primary build-id of `patch`; *pids is owned by the caller.
 */
VG_MUST_CHECK struct vg_error *vg_find_targets(const struct vg_patch *patch, pid_t **pids,
					       size_t *count);
/* Processes in which an area of the patch `name` is found; of any patch, if `name` is NULL. */
VG_MUST_CHECK struct vg_error *vg_find_patched(const char *name, pid_t **pids, size_t *count);

#endif
