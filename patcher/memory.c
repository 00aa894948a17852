/* SPDX-License-Identifier: MIT */
#include "patcher/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

struct vg_error *vg_memory_open(pid_t pid, struct vg_memory *memory)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	*memory = (struct vg_memory){.pid = pid, .fd = open(path, O_RDWR | O_CLOEXEC)};
	if (memory->fd >= 0)
		return NULL;
	if (errno == EACCES || errno == EPERM)
		return vg_error_new(
			VG_REFUSED,
			"no permission to reach the memory of process %d; run vgraft as "
			"its user with ptrace allowed, or as root",
			pid);
	return vg_error_errno(VG_FAILED, errno, "cannot open %s", path);
}

void vg_memory_close(struct vg_memory *memory)
{
	if (memory->fd >= 0)
		close(memory->fd);
	memory->fd = -1;
}

size_t vg_memory_read_some(const struct vg_memory *memory, uint64_t address, void *buffer,
			   size_t count)
{
	size_t done = 0;

	while (done < count) {
		ssize_t n = pread(memory->fd, (char *)buffer + done, count - done,
				  (off_t)(address + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* A short transfer leaves errno of an earlier call behind, or 0 where the process has ended. */
static struct vg_error *memory_error(const struct vg_memory *memory, const char *what,
				     uint64_t address, size_t count, int error)
{
	return vg_error_errno(VG_FAILED, error ? error : EIO,
			      "cannot %s %zu bytes at 0x%" PRIx64 " of process %d", what, count,
			      address, memory->pid);
}

struct vg_error *vg_memory_read(const struct vg_memory *memory, uint64_t address, void *buffer,
				size_t count)
{
	errno = 0;
	if (vg_memory_read_some(memory, address, buffer, count) == count)
		return NULL;
	return memory_error(memory, "read", address, count, errno);
}

struct vg_error *vg_memory_write(const struct vg_memory *memory, uint64_t address,
				 const void *buffer, size_t count)
{
	size_t done = 0;

	while (done < count) {
		errno = 0;
		ssize_t n = pwrite(memory->fd, (const char *)buffer + done, count - done,
				   (off_t)(address + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return memory_error(memory, "write", address, count, errno);
		done += (size_t)n;
	}
	return NULL;
}
