/* SPDX-License-Identifier: MIT */
/* The verbs that work on processes: which ones, one after the other, and the exit code of it all.
 */
#ifndef CLI_TARGETS_H
#define CLI_TARGETS_H

#include <stdbool.h>

#include <vgraft/patcher.h>

#include "cli/list.h"

struct vg_targets {
	struct vg_list pid_texts; /* --pid */
	bool all;		  /* --all */
	bool json;
	struct vg_patch_options options;
	const char *usage;   /* of the verb */
	const char *subject; /* the argument that is no option: a file or a patch's name */
};

/*
 * Reads the options that apply, check and revert share. Returns -1 to go on, or an exit code
 * (usage error or --help).
 */
int vg_targets_parse(struct vg_targets *targets, int argc, char **argv);
void vg_targets_clear(struct vg_targets *targets);

/*
 * Nothing was done to any target: with --json each one named has its object all the same, or one
 * without a process if none is known. Takes the error, returns its exit code.
 */
int vg_targets_fail(const struct vg_targets *targets, struct vg_error *error);

/* Does the verb to one process; fills the result in any case. */
typedef struct vg_error *(*vg_target_verb)(void *context, pid_t pid,
					   const struct vg_patch_options *options,
					   struct vg_result *result);

/* Runs `verb` on each process and prints each result. `patch` may be NULL. Returns the exit code.
 */
int vg_targets_run(const struct vg_targets *targets, const pid_t *pids, size_t count,
		   vg_target_verb verb, void *context, const struct vg_patch *patch);

#endif
