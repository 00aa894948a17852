/* SPDX-License-Identifier: MIT */
/* The threads of a target in a stop: steps 1 to 3 and 7 of stop.h. */
#ifndef PATCHER_STOP_THREADS_H
#define PATCHER_STOP_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include <vgraft/error.h>

#include "patcher/target.h"
#include "patcher/task.h"

enum vg_stop_thread_state {
	VG_THREAD_SEIZED,  /* attached, not yet seen to stand */
	VG_THREAD_STOPPED, /* stands */
	VG_THREAD_IGNORED, /* made by the kernel, or dead: nothing to stop */
};

struct vg_stop_thread {
	pid_t tid;
	enum vg_stop_thread_state state;
	int signal; /* that it was about to get */
	bool has_registers;
	struct user_regs_struct registers; /* as the check saw them */
};

struct vg_stop_threads {
	uint64_t grace; /* added to the deadline, ns: see vg_stop_request */
	const struct vg_live_target *target;
	struct vg_stop_thread *threads;
	size_t count, capacity;
	size_t first_waiting; /* no thread before it is waited for */
	struct vg_tids tids;
	uint64_t began; /* first interrupt; 0 = none yet */
};

/* Step 1. Memory for threads that may be born is taken here. */
VG_MUST_CHECK struct vg_error *vg_stop_threads_seize(struct vg_stop_threads *threads);
/* Steps 2 and 3. *stands: all do. Otherwise `first_waiting` is one that does not. */
VG_MUST_CHECK struct vg_error *vg_stop_threads_interrupt(struct vg_stop_threads *threads,
							 bool *stands);
/* Step 7; what is not stopped is let go when the tracer thread ends. */
void vg_stop_threads_resume(struct vg_stop_threads *threads);
/* One of the threads that stand. */
pid_t vg_stop_threads_any(const struct vg_stop_threads *threads);
unsigned vg_stop_threads_stopped(const struct vg_stop_threads *threads);
void vg_stop_threads_clear(struct vg_stop_threads *threads);

#endif
