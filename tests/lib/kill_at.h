/* SPDX-License-Identifier: MIT */
/*
 * Runs a command and kills it with SIGKILL at the entry of its n-th system call, counted over all
 * its threads from exec on. Killing at every n from 1 until the command ends by itself covers the
 * moment after every system call, because nothing happens between two of them that anybody else
 * can see, but for stores to shared memory, of which there are none.
 */
#ifndef TESTS_LIB_KILL_AT_H
#define TESTS_LIB_KILL_AT_H

#include <stdbool.h>

#include <vgraft/error.h>

struct vg_killed {
	bool killed;	     /* false: it ended before its n-th call */
	unsigned long calls; /* entered, the one at which it was killed included */
	int code;	     /* exit code, if it was not killed */
};

/* `argv` ends in NULL and argv[0] is a path; output goes nowhere. */
VG_MUST_CHECK struct vg_error *vg_kill_at(const char *const argv[], unsigned long n,
					  struct vg_killed *result);

#endif
