/* SPDX-License-Identifier: MIT */
#include "vmm/event.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vmm_error *event_create(int *fd)
{
	*fd = eventfd(0, EFD_CLOEXEC);
	if (*fd < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot create an eventfd");
	return NULL;
}

void event_destroy(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void event_signal(int fd)
{
	uint64_t one = 1;
	ssize_t written;

	do
		written = write(fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

void event_clear(int fd)
{
	uint64_t count;
	ssize_t got;

	do
		got = read(fd, &count, sizeof(count));
	while (got < 0 && errno == EINTR);
}

bool event_is_routine(int error)
{
	return error == EINTR || error == EAGAIN;
}
