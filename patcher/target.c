/* SPDX-License-Identifier: MIT */
#include "patcher/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/task.h"

#define PID_FS 0x50494446 /* PID_FS_MAGIC of linux/magic.h; headers of Debian 12 are older */

bool vg_live_target_is_alive(const struct vg_live_target *target)
{
	/* A pidfd becomes readable when the process ends (pidfd_open(2)). */
	struct pollfd pollfd = {.fd = target->pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

static struct vg_error *open_process(struct vg_live_target *target)
{
	char path[32];

	if (target->pid <= 0)
		return vg_error_new(VG_USAGE, "%d is not a process id", target->pid);
	target->pidfd = (int)syscall(SYS_pidfd_open, target->pid, 0);
	/* EINVAL, ENOENT: the id of a thread that is not the first of its process. */
	if (target->pidfd < 0 && (errno == ESRCH || errno == EINVAL || errno == ENOENT))
		return vg_error_new(VG_USAGE, "there is no process %d", target->pid);
	if (target->pidfd < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open process %d", target->pid);
	snprintf(path, sizeof(path), "/proc/%d", target->pid);
	target->proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->proc < 0)
		return vg_error_errno(errno == ENOENT ? VG_USAGE : VG_FAILED, errno,
				      "cannot open %s", path);
	return NULL;
}

/* Another architecture has other registers, frames and system call numbers. */
static struct vg_error *check_architecture(const struct vg_live_target *target)
{
	_cleanup_close_ int fd = openat(target->proc, "exe", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;

	if (fd < 0)
		return vg_error_errno(VG_REFUSED, errno,
				      "cannot read the program of process %d; run vgraft as its "
				      "user with ptrace allowed, or as root",
				      target->pid);
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return vg_error_new(VG_REFUSED, "the program of process %d is not an ELF file",
				    target->pid);
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
		return vg_error_new(VG_REFUSED,
				    "process %d is not a 64-bit x86-64 program (ELF class %d, "
				    "machine %d); vgraft patches x86-64 only",
				    target->pid, header.e_ident[EI_CLASS], header.e_machine);
	return NULL;
}

/*
 * A first thread that has called pthread_exit() shows as a zombie too. Its memory is shown as gone,
 * while the other threads go on in it.
 */
static struct vg_error *refuse_dead(const struct vg_live_target *target, const struct vg_task *task)
{
	_cleanup_(vg_tids_clear) struct vg_tids tids = {0};

	VG_TRY(vg_tids_read(target->proc, &tids));
	if (tids.count < 2)
		return vg_error_new(VG_REFUSED, "process %d (%s) is a zombie: it has ended",
				    target->pid, task->name);
	return vg_error_new(VG_REFUSED,
			    "the first thread of process %d (%s) has ended, through which "
			    "vgraft reaches the memory of the others; restart it with "
			    "the fix",
			    target->pid, task->name);
}

static struct vg_error *check_kind(struct vg_live_target *target)
{
	struct vg_task task;

	if (target->pid == getpid())
		return vg_error_new(VG_REFUSED, "process %d is vgraft itself", target->pid);
	if (!vg_task_read(target->proc, 0, &task))
		return vg_error_new(VG_USAGE, "there is no process %d", target->pid);
	target->start_time = task.start_time;
	if (vg_task_is_kernel_made(&task))
		return vg_error_new(VG_REFUSED, "process %d (%s) is a kernel thread", target->pid,
				    task.name);
	return vg_task_is_dead(&task) ? refuse_dead(target, &task) : NULL;
}

struct vg_error *vg_live_target_open(pid_t pid, struct vg_live_target *target)
{
	*target = (struct vg_live_target)VG_LIVE_TARGET_NONE;
	target->pid = pid;
	VG_TRY(open_process(target));
	VG_TRY(check_kind(target));
	VG_TRY(vg_memory_open(pid, &target->memory));
	VG_TRY(check_architecture(target));
	if (!vg_live_target_is_alive(target))
		return vg_error_new(VG_USAGE, "process %d ended meanwhile", pid);
	return NULL;
}

struct vg_error *vg_live_target_check_running(const struct vg_live_target *target)
{
	_cleanup_(vg_tids_clear) struct vg_tids tids = {0};

	VG_TRY(vg_tids_read(target->proc, &tids));
	for (size_t i = 0; i < tids.count; i++) {
		struct vg_task task;

		if (vg_task_read(target->proc, tids.ids[i], &task) && task.state == 'T')
			return vg_error_new(VG_REFUSED,
					    "process %d is stopped by a signal; let it go on "
					    "(kill -CONT %d) and try again",
					    target->pid, target->pid);
	}
	return NULL;
}

struct vg_error *vg_live_target_check_stoppable(const struct vg_live_target *target)
{
	_cleanup_(vg_tids_clear) struct vg_tids tids = {0};

	VG_TRY(vg_tids_read(target->proc, &tids));
	for (size_t i = 0; i < tids.count; i++) {
		struct vg_task_status status;

		if (vg_task_read_status(target->proc, tids.ids[i], &status) && status.tracer)
			return vg_error_new(VG_REFUSED,
					    "process %d is traced by process %d; detach the "
					    "debugger and try again",
					    target->pid, status.tracer);
	}
	return vg_live_target_check_running(target);
}

static bool try_name(const struct vg_live_target *target)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
			      "vgraft-%d-%" PRIu64, target->pid, target->start_time);

	return bind(target->lock, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0;
}

/* Before Linux 6.9 all pidfds are one file. */
static bool try_file(const struct vg_live_target *target)
{
	struct statfs system;

	if (fstatfs(target->pidfd, &system) < 0 || system.f_type != PID_FS)
		return true;
	return flock(target->pidfd, LOCK_EX | LOCK_NB) == 0;
}

/* `taken`: what errno is when somebody else has it. */
static struct vg_error *wait_for(const struct vg_live_target *target,
				 bool (*try)(const struct vg_live_target *target), int taken,
				 uint64_t deadline)
{
	while (!try(target)) {
		if (errno != taken)
			return vg_error_errno(VG_FAILED, errno, "cannot lock process %d",
					      target->pid);
		if (vg_clock_now() >= deadline)
			return vg_error_new(VG_BUSY, "another vgraft is at work on process %d",
					    target->pid);
		vg_clock_sleep(5 * VG_MILLISECOND);
	}
	return NULL;
}

struct vg_error *vg_live_target_lock(struct vg_live_target *target, uint64_t deadline)
{
	target->lock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (target->lock < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make a socket for the lock");
	VG_TRY(wait_for(target, try_name, EADDRINUSE, deadline));
	return wait_for(target, try_file, EWOULDBLOCK, deadline);
}

void vg_live_target_close(struct vg_live_target *target)
{
	int *fds[] = {&target->pidfd, &target->proc, &target->lock};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	vg_memory_close(&target->memory);
}
