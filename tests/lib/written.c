/* SPDX-License-Identifier: MIT */
#include "tests/lib/written.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/suite.h"

int vg_track_writes(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = 1u << 15 | 1u << 13};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		vg_test_skip("the kernel does not keep track of written pages");
	return fd;
}
