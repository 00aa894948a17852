/* SPDX-License-Identifier: MIT */
#include "patcher/sharing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/task.h"

/*
 * A process that we may not look at (EPERM) runs as another user; it does not share the memory of
 * one that we may trace.
 */
static bool compares_equal(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}

struct vg_error *vg_sharing_open(pid_t pid, struct vg_sharing *sharing)
{
	*sharing = (struct vg_sharing){.pid = pid,
				       .loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)};
	if (sharing->loadavg < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open /proc/loadavg");
	if (!compares_equal(getpid(), getpid()))
		return vg_error_errno(VG_REFUSED, errno,
				      "kcmp does not work here, so that nobody can tell whether "
				      "another process shares the memory of process %d",
				      pid);
	return NULL;
}

void vg_sharing_close(struct vg_sharing *sharing)
{
	if (sharing->loadavg >= 0)
		close(sharing->loadavg);
	sharing->loadavg = -1;
}

/* "0.00 0.01 0.05 1/123 4567": the last process id; 0 if it can't be read. */
static pid_t last_pid(const struct vg_sharing *sharing)
{
	char text[128];
	ssize_t n = pread(sharing->loadavg, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';

	const char *space = strrchr(text, ' ');

	return space ? atoi(space + 1) : 0;
}

/* What has no memory at all (kernel threads, zombies) compares equal with what has none either. */
static bool runs_user_code(pid_t pid)
{
	char path[32];
	struct vg_task task;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	_cleanup_close_ int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return errno != ENOENT;
	return vg_task_read(proc, 0, &task) && !vg_task_is_kernel_made(&task) &&
	       !vg_task_is_dead(&task);
}

static bool shares_memory(const struct vg_sharing *sharing, pid_t tid, pid_t pid)
{
	return pid != sharing->pid && compares_equal(tid, pid) && runs_user_code(pid);
}

struct vg_error *vg_sharing_find(struct vg_sharing *sharing, pid_t tid, pid_t *sharer)
{
	_cleanup_closedir_ DIR *directory = opendir("/proc");

	*sharer = 0;
	if (!directory)
		return vg_error_errno(VG_FAILED, errno, "cannot list /proc");
	sharing->last = last_pid(sharing);
	for (struct dirent *entry; !*sharer && (entry = readdir(directory));) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && shares_memory(sharing, tid, pid))
			*sharer = pid;
	}
	return NULL;
}

/* Is it a process of its own, and not a thread of the target? Threads share the memory too. */
static bool is_process(pid_t pid)
{
	char path[32], line[128];
	int tgid = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file)
		return errno != ENOENT;
	while (!tgid && fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	return tgid == pid;
}

struct vg_error *vg_sharing_find_new(struct vg_sharing *sharing, pid_t tid, pid_t *sharer)
{
	pid_t last = last_pid(sharing);

	*sharer = 0;
	/* The numbers have wrapped around, or can't be read. */
	if (!last || last < sharing->last)
		return vg_sharing_find(sharing, tid, sharer);
	for (pid_t pid = sharing->last + 1; pid <= last && !*sharer; pid++)
		if (shares_memory(sharing, tid, pid) && is_process(pid))
			*sharer = pid;
	sharing->last = last;
	return NULL;
}
