/* SPDX-License-Identifier: MIT */
/*
 * The target of one verb: a process that is known by its id and start time, and locked.
 *
 * Identity. The pidfd is opened first; /proc/PID, /proc/PID/mem and the start time are read while
 * it shows the process alive. From then on the process is reached through these only: they go dead
 * with the process, so that an id that is given to another process is never touched. /proc/PID/mem
 * belongs to the memory that was there when it was opened: after an exec, it reads and writes
 * nothing.
 *
 * Lock. An abstract unix socket named after the process id and start time, held for the duration
 * of the verb: two vgraft on one target exclude each other, and the lock vanishes with a tool that
 * is killed. A name is known in one network namespace only, and an id in one pid namespace: the
 * pidfd is locked too (flock), which is the same file everywhere from Linux 6.9 on.
 */
#ifndef PATCHER_TARGET_H
#define PATCHER_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

#include "patcher/memory.h"

struct vg_live_target {
	pid_t pid;
	int pidfd;
	int proc; /* /proc/PID */
	int lock;
	uint64_t start_time;
	struct vg_memory memory;
};

/* Fields of a target that is not open, for the cleanup. */
#define VG_LIVE_TARGET_NONE                                                                        \
	{                                                                                          \
		.pidfd = -1, .proc = -1, .lock = -1, .memory = {.fd = -1 }                         \
	}

/*
 * No such process: VG_USAGE. Ours not to touch, by name: itself, a kernel thread, a zombie, no
 * permission, another architecture: VG_REFUSED.
 */
VG_MUST_CHECK struct vg_error *vg_live_target_open(pid_t pid, struct vg_live_target *target);
/*
 * What must be so before a thread of the target is stopped: not traced by anybody, not stopped by a
 * signal (it is left as found). VG_REFUSED otherwise.
 */
VG_MUST_CHECK struct vg_error *vg_live_target_check_stoppable(const struct vg_live_target *target);
/*
 * Not stopped by a signal. What such a process does not run now it would run when it goes on,
 * perhaps hours later: no call may be left in one of its threads.
 */
VG_MUST_CHECK struct vg_error *vg_live_target_check_running(const struct vg_live_target *target);
/* Waits for another vgraft until `deadline` (vg_clock_now()); then VG_BUSY. */
VG_MUST_CHECK struct vg_error *vg_live_target_lock(struct vg_live_target *target,
						   uint64_t deadline);
bool vg_live_target_is_alive(const struct vg_live_target *target);
void vg_live_target_close(struct vg_live_target *target);

#endif
