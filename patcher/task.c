/* SPDX-License-Identifier: MIT */
#include "patcher/task.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* include/linux/sched.h of the kernel; stat(5) shows them in field 9. */
#define PF_IO_WORKER   0x00000010
#define PF_USER_WORKER 0x00004000
#define PF_KTHREAD     0x00200000

/* Reads a small file of a task whole; false if it is gone or empty. */
static bool read_task_file(int proc, pid_t tid, const char *name, char *text, size_t size)
{
	char path[64];

	if (tid)
		snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	else
		snprintf(path, sizeof(path), "%s", name);

	_cleanup_close_ int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

/* `tid (name) state ppid …`: the name may hold spaces and brackets, so look for the last one. */
bool vg_task_read(int proc, pid_t tid, struct vg_task *task)
{
	char text[1024];

	*task = (struct vg_task){.tid = tid};
	if (!read_task_file(proc, tid, "stat", text, sizeof(text)))
		return false;

	char *open = strchr(text, '(');
	char *close = strrchr(text, ')');

	if (!open || !close || close < open)
		return false;
	snprintf(task->name, sizeof(task->name), "%.*s", (int)(close - open - 1), open + 1);
	return sscanf(close + 1,
		      " %c %*d %*d %*d %*d %*d %" SCNu32
		      " %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		      &task->state, &task->flags, &task->start_time) == 3;
}

/* The last number of a line that begins with `key`; -1 if there is none. */
static long last_number(const char *text, const char *key)
{
	const char *line = strstr(text, key);
	size_t length;

	if (!line)
		return -1;
	line += strlen(key);
	length = strcspn(line, "\n");
	while (length && line[length - 1] != ' ' && line[length - 1] != '\t')
		length--;
	return atol(line + length);
}

bool vg_task_read_status(int proc, pid_t tid, struct vg_task_status *status)
{
	char text[8192];
	const char *line;

	*status = (struct vg_task_status){0};
	if (!read_task_file(proc, tid, "status", text, sizeof(text)))
		return false;
	line = strstr(text, "\nTracerPid:");
	if (line)
		status->tracer = atoi(line + strlen("\nTracerPid:"));
	line = strstr(text, "\nSeccomp:");
	if (line)
		status->seccomp = atoi(line + strlen("\nSeccomp:"));
	line = strstr(text, "\nx86_Thread_features:");
	if (line) {
		size_t length = strcspn(line + 1, "\n");

		status->shadow_stack = memmem(line, length + 1, "shstk", 5) != NULL;
	}
	status->fs_uid = (uid_t)last_number(text, "\nUid:");
	status->fs_gid = (gid_t)last_number(text, "\nGid:");
	status->inner_tgid = (pid_t)last_number(text, "\nNStgid:");
	if (status->inner_tgid < 0)
		status->inner_tgid = 0;
	return true;
}

void vg_task_wait_place(int proc, pid_t tid, char *text, size_t size)
{
	char buffer[256];

	text[0] = '\0';
	if (read_task_file(proc, tid, "wchan", buffer, sizeof(buffer)) && strcmp(buffer, "0") != 0)
		snprintf(text, size, "%.*s", (int)strcspn(buffer, "\n"), buffer);
	else if (read_task_file(proc, tid, "syscall", buffer, sizeof(buffer)) && buffer[0] >= '0' &&
		 buffer[0] <= '9')
		snprintf(text, size, "system call %d", atoi(buffer));
}

static bool tids_add(struct vg_tids *tids, pid_t tid)
{
	if (tids->count == tids->capacity) {
		size_t capacity = tids->capacity ? 2 * tids->capacity : 64;
		pid_t *ids = reallocarray(tids->ids, capacity, sizeof(*ids));

		if (!ids)
			return false;
		tids->ids = ids;
		tids->capacity = capacity;
	}
	tids->ids[tids->count++] = tid;
	return true;
}

struct vg_error *vg_tids_read(int proc, struct vg_tids *tids)
{
	int fd = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return vg_error_errno(VG_FAILED, error, "cannot list the threads of the target");
	}
	tids->count = 0;
	errno = 0;
	for (struct dirent *entry; (entry = readdir(directory));) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && !tids_add(tids, tid))
			return vg_error_new(VG_FAILED, "out of memory for the list of threads");
	}
	if (errno)
		return vg_error_errno(VG_FAILED, errno, "cannot list the threads of the target");
	return NULL;
}

void vg_tids_clear(struct vg_tids *tids)
{
	free(tids->ids);
	*tids = (struct vg_tids){0};
}

bool vg_task_is_kernel_made(const struct vg_task *task)
{
	return task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER);
}

bool vg_task_is_dead(const struct vg_task *task)
{
	return task->state == 'Z' || task->state == 'X' || task->state == 'x';
}

bool vg_task_is_uninterruptible(const struct vg_task *task)
{
	return task->state == 'D';
}
