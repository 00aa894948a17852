/* SPDX-License-Identifier: MIT */
/*
 * The tasks (threads) of a process, as /proc/PID/task shows them (proc(5)).
 *
 * `proc` is an open /proc/PID directory: what is read through it is about that process or fails,
 * also when its id is given to another process meanwhile.
 */
#ifndef PATCHER_TASK_H
#define PATCHER_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

struct vg_task {
	pid_t tid;
	char name[32];
	char state;	     /* as in stat: R S D T t Z X I … */
	uint32_t flags;	     /* PF_* */
	uint64_t start_time; /* clock ticks since boot */
};

/* What only /proc/PID/status tells. */
struct vg_task_status {
	pid_t tracer;	   /* 0 = not traced */
	int seccomp;	   /* 0 off, 1 strict, 2 filters */
	bool shadow_stack; /* user shadow stack (CET) in use */
	uid_t fs_uid;	   /* to whom files belong that it creates */
	gid_t fs_gid;
	pid_t inner_tgid; /* the process's id in its own PID namespace; 0 = unknown */
};

struct vg_tids {
	pid_t *ids; /* in the order of the directory */
	size_t count;
	size_t capacity;
};

/* False: there is no such task (any more). `tid` 0 is the process itself. */
bool vg_task_read(int proc, pid_t tid, struct vg_task *task);
bool vg_task_read_status(int proc, pid_t tid, struct vg_task_status *status);
/* One line about where a task waits: "futex_wait_queue", "syscall 202"; "" if unknown. */
void vg_task_wait_place(int proc, pid_t tid, char *text, size_t size);

/* Rereads the list into `tids`, whose memory is used again. */
VG_MUST_CHECK struct vg_error *vg_tids_read(int proc, struct vg_tids *tids);
void vg_tids_clear(struct vg_tids *tids);

/*
 * KVM and io_uring put threads that the kernel made into the task list of the process. They have
 * no user registers and no stack of their own: never to be injected into or unwound, and SEIZE
 * fails with EPERM for them.
 */
bool vg_task_is_kernel_made(const struct vg_task *task);
/* Exited, but still in the list: a main thread that called pthread_exit(), or a zombie. */
bool vg_task_is_dead(const struct vg_task *task);
/* In an uninterruptible wait: such a thread will not stop until the wait is over. */
bool vg_task_is_uninterruptible(const struct vg_task *task);

#endif
