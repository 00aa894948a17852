/* SPDX-License-Identifier: MIT */
/*
 * For programs that are linked with --wrap=ioctl: the kernel of Debian 12 (6.1), which can tell
 * neither which pages were written (PAGEMAP_SCAN, Linux 6.7; UFFD_FEATURE_WP_ASYNC, 6.7) nor one
 * mapping at a time (PROCMAP_QUERY, 6.11). A program that asked for none of these has tested
 * nothing of it, and fails at its end.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#define PROC_IOCTLS   'f' /* include/uapi/linux/fs.h */
#define PAGEMAP_SCAN  16
#define PROCMAP_QUERY 17

int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_ioctl(int fd, unsigned long request, ...);

/* Of all processes of the program: Check runs each test in one of its own. */
static struct {
	pid_t owner;
	atomic_uint refused;
} * shared;

__attribute__((constructor)) static void begin(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		_exit(1);
	shared->owner = getpid();
}

__attribute__((destructor)) static void end(void)
{
	if (getpid() != shared->owner || atomic_load(&shared->refused))
		return;
	fprintf(stderr, "nothing was asked that an older kernel cannot answer\n");
	_exit(1);
}

static int error_of(unsigned long request)
{
	if (request == UFFDIO_API)
		return EINVAL; /* as for a feature that it does not know */
	if (_IOC_TYPE(request) != PROC_IOCTLS)
		return 0;
	return _IOC_NR(request) == PAGEMAP_SCAN || _IOC_NR(request) == PROCMAP_QUERY ? ENOTTY : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;
	int error = error_of(request);

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (!error)
		return __real_ioctl(fd, request, argument);
	atomic_fetch_add(&shared->refused, 1);
	errno = error;
	return -1;
}
