/* SPDX-License-Identifier: MIT */
#include "patcher/stack_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t read_piece(pid_t tid, uint64_t address, void *buffer, size_t count)
{
	struct iovec local = {buffer, count};
	struct iovec remote = {(void *)address, count};

	return process_vm_readv(tid, &local, 1, &remote, 1, 0);
}

size_t stack_read_some(pid_t tid, uint64_t address, void *buffer, size_t count)
{
	ssize_t got = read_piece(tid, address, buffer, count);

	return got < 0 ? 0 : (size_t)got;
}

bool stack_read(pid_t tid, uint64_t address, void *buffer, size_t count)
{
	return stack_read_some(tid, address, buffer, count) == count;
}

static struct vg_error *window_error(pid_t tid, uint64_t start, int error)
{
	if (error == ESRCH)
		return vg_error_new(VG_BUSY, "thread %d ended while its stack was read; try again",
				    tid);
	return vg_error_errno(VG_FAILED, error, "cannot read the stack of thread %d at %#lx", tid,
			      start);
}

struct vg_error *stack_window_fill(struct stack_window *window, pid_t tid, uint64_t start,
				   uint64_t end)
{
	size_t count = end - start;
	ssize_t got;

	if (count > STACK_WINDOW_BYTES)
		count = STACK_WINDOW_BYTES;
	window->tid = tid;
	window->start = start;
	window->count = 0;
	got = read_piece(tid, start, window->words, count);
	/* What is not there to be read is no failure of the system: the caller sees it in `count`.
	 */
	if (got < 0 && errno != EFAULT)
		return window_error(tid, start, errno);
	window->count = got < 0 ? 0 : (size_t)got & ~(size_t)7;
	return NULL;
}

bool stack_window_read(void *context, uint64_t address, void *buffer, size_t count)
{
	const struct stack_window *window = context;

	if (address >= window->start && address - window->start <= window->count &&
	    count <= window->count - (address - window->start)) {
		memcpy(buffer, (const uint8_t *)window->words + (address - window->start), count);
		return true;
	}
	return stack_read(window->tid, address, buffer, count);
}
