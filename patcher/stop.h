/* SPDX-License-Identifier: MIT */
/*
 * The stop: all threads of the target stand still, are inspected, and if all of them are safe, the
 * commit is made.
 *
 *  Before, target running: stack check prepared, everything that is to be written is at hand.
 *  1. SEIZE all threads (PTRACE_O_TRACECLONE: a thread that is born is attached with its parent).
 *     Reread the list: what was seized must be in it, or its id belongs to somebody else by now.
 *  2. The pause begins: INTERRUPT all. Collect them until the deadline (10 ms + 50 us per thread).
 *  3. Reread the list until no id is new. When every thread in it stands, none can be born.
 *  4. Processes that share the memory under another id, made since the last look: none.
 *  5. Registers, entries, stacks of all threads, then of suspended coroutines. First unsafe: 7.
 *  6. Commit.
 *  7. DETACH all, handing on the signals that threads were about to get. The pause ends.
 *
 * From 4 on another thread of the tool looks whether the maps are still what they were (beside.h),
 * for 5 and for commits that search memory.
 *
 * A thread that has not stopped at the deadline makes the attempt busy: everybody else is resumed
 * at once, and the thread itself when the tracer thread ends, which is at once too (tracer.h).
 * Inside the pause nothing is printed, parsed, or allocated that could be before it.
 */
#ifndef PATCHER_STOP_H
#define PATCHER_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include <vgraft/error.h>
#include <vgraft/patch.h>
#include <vgraft/patcher.h>

#include "patcher/sharing.h"
#include "patcher/stack_check.h"
#include "patcher/target.h"
#include "patcher/task.h"

struct vg_stop_hooks;
struct vg_leaving;

enum vg_stop_outcome {
	VG_STOP_DONE,	/* the commit was made */
	VG_STOP_UNSAFE, /* a thread or coroutine is in the way */
	VG_STOP_BUSY,	/* a thread did not stop, or somebody shares the memory */
};

struct vg_stop_request {
	const struct vg_live_target *target;
	struct vg_stacks *stacks;
	struct vg_sharing *sharing;
	const struct vg_code_range *ranges; /* none: nothing is checked */
	size_t range_count;
	const uint64_t *entries; /* about to be written: 5 bytes each */
	size_t entry_count;
	/* No instruction pointer may lie here: code that will be unmapped. */
	const struct vg_code_area *areas;
	size_t area_count;
	/*
	 * Added to the deadline, ns. A thread that is runnable and only waits for a CPU does stop,
	 * but on a host with many runnable tasks not within 10 ms, in no attempt.
	 */
	uint64_t grace;
	/* What the commit takes out, to be surveyed before each attempt (leaving.h); or NULL. */
	struct vg_leaving *leaving;
	/* With all threads stopped and safe. After an error the target must be as it was. */
	struct vg_error *(*commit)(void *context);
	void *context;
	/* For commits that run hooks, or NULL: the standing threads, and the time hooks took. */
	struct vg_stop_hooks *hooks;
};

struct vg_stop_threads;
struct vg_stop_hooks {
	struct vg_stop_threads *threads; /* set for the commit */
	uint64_t nanoseconds;		 /* not counted in the pause */
};

struct vg_stop_report {
	enum vg_stop_outcome outcome;
	uint64_t pause; /* nanoseconds */
	unsigned threads;
	unsigned coroutines;
	bool starved; /* BUSY because a runnable thread got no CPU until the deadline */
	struct vg_blocker blocker; /* UNSAFE, BUSY */
	char *why;		   /* as the end of a sentence about the blocker, or NULL */
};
void vg_stop_report_clear(struct vg_stop_report *report);
void vg_blocker_clear(struct vg_blocker *blocker);

/* One attempt. */
VG_MUST_CHECK struct vg_error *vg_stop(const struct vg_stop_request *request,
				       struct vg_stop_report *report);

#endif
