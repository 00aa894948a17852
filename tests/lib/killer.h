/* SPDX-License-Identifier: MIT */
/*
 * Runs a command and kills it (SIGKILL to the whole process) at the entry of a chosen system call;
 * the calls of all its threads count, from exec to exit.
 */
#ifndef TESTS_LIB_KILLER_H
#define TESTS_LIB_KILLER_H

#include <stdbool.h>
#include <stddef.h>

struct vg_killer_call {
	long number;	 /* of the system call */
	unsigned thread; /* that makes it: 0 is the first, 1 the first one that it made … */
};

struct vg_killer {
	struct vg_killer_call *calls; /* those that were made, the last is the one killed at */
	size_t count;
	bool killed;
	int code;	/* exit code, if it was not killed */
	char *messages; /* what it wrote to standard error */
};

/* True for the call to kill at. `nth` counts all calls from 1. */
typedef bool vg_killer_choice(void *context, const struct vg_killer_call *call, size_t nth);

/* `choice` may be NULL: kills nowhere. Fails the running Check test if it can't be done. */
void vg_killer_run(const char *const argv[], vg_killer_choice *choice, void *context,
		   struct vg_killer *killer);
void vg_killer_clear(struct vg_killer *killer);

#endif
