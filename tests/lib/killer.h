/* SPDX-License-Identifier: MIT */
/*
 * Runs a command and kills it (SIGKILL to the whole process) at the entry of its N-th system call,
 * counted over all its threads from exec to exit.
 */
#ifndef TESTS_LIB_KILLER_H
#define TESTS_LIB_KILLER_H

#include <stdbool.h>
#include <stddef.h>

struct vg_killer_call {
	long number;	  /* of the system call */
	bool main_thread; /* made by the command's first thread */
};

struct vg_killer {
	struct vg_killer_call *calls; /* those that were made, the last is the one killed at */
	size_t count;
	bool killed;
	int code; /* exit code, if it was not killed */
};

/* `at` counts from 1; 0 kills nowhere. Fails the running Check test if it can't be done. */
void vg_killer_run(const char *const argv[], size_t at, struct vg_killer *killer);
void vg_killer_clear(struct vg_killer *killer);

#endif
