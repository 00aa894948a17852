/* SPDX-License-Identifier: MIT */
/*
 * Processes that share the target's memory under another id: a vfork child before its exec, or one
 * made with clone(CLONE_VM). Their threads run the same code and are not in the target's task list,
 * so nobody would stop them. Threads that the kernel made may use the memory too (vhost), but run
 * no code of it.
 *
 * All processes are compared (kcmp(2)) before a stop. Inside the stop only processes that were made
 * since then are: the last number in /proc/loadavg is the last process id given away.
 */
#ifndef PATCHER_SHARING_H
#define PATCHER_SHARING_H

#include <stdbool.h>
#include <sys/types.h>

#include <vgraft/error.h>

struct vg_sharing {
	pid_t pid;
	int loadavg;
	pid_t last; /* last process id that has been looked at */
};

/* VG_REFUSED where the kernel, or a sandbox that vgraft runs in, does not tell who shares memory.
 */
VG_MUST_CHECK struct vg_error *vg_sharing_open(pid_t pid, struct vg_sharing *sharing);
void vg_sharing_close(struct vg_sharing *sharing);
/*
 * *sharer is the id of a process that shares the memory, or 0. `tid` is a thread of the target that
 * is alive: the first one may have ended before the others, and has no memory then.
 * Target running.
 */
VG_MUST_CHECK struct vg_error *vg_sharing_find(struct vg_sharing *sharing, pid_t tid,
					       pid_t *sharer);
/* All threads of the target stopped. */
VG_MUST_CHECK struct vg_error *vg_sharing_find_new(struct vg_sharing *sharing, pid_t tid,
						   pid_t *sharer);

#endif
