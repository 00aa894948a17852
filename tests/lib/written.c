/* SPDX-License-Identifier: MIT */
#include "tests/lib/written.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/suite.h"

int vg_track_writes(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = 1u << 15 | 1u << 13};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		vg_test_skip("the kernel does not keep track of written pages");
	return fd;
}

unsigned vg_count_userfaultfds(pid_t pid)
{
	char path[64], target[64];
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	_cleanup_closedir_ DIR *directory = opendir(path);

	ck_assert_ptr_nonnull(directory);
	for (struct dirent *entry; (entry = readdir(directory));) {
		ssize_t length =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		count += strcmp(target, "anon_inode:[userfaultfd]") == 0;
	}
	return count;
}
