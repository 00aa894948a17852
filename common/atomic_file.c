/* SPDX-License-Identifier: MIT */
/* A file that appears whole or not at all: written under a temporary name, synced, renamed. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_object.h"

static int write_all(int fd, const uint8_t *bytes, size_t count)
{
	while (count) {
		ssize_t put = write(fd, bytes, count);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		bytes += put;
		count -= (size_t)put;
	}
	return 0;
}

/* mkostemp() makes the file private; a patch object is meant to be handed on. */
static int set_usual_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask);
}

/* Renaming would put a file in the place of /dev/full, or of a pipe that somebody reads. */
static bool is_something_else(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

struct vg_error *vg_write_file_atomically(const char *path, const void *bytes, size_t count)
{
	_cleanup_free_ char *temporary = NULL;
	struct vg_error *error = NULL;

	if (is_something_else(path))
		return vg_error_new(VG_USAGE, "cannot create %s: it exists and is no file", path);
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return vg_error_no_memory();
	}
	_cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot create %s", path);
	if (write_all(fd, bytes, count) < 0 || set_usual_mode(fd) < 0 || fsync(fd) < 0)
		error = vg_error_errno(VG_FAILED, errno, "cannot write %s", path);
	else if (rename(temporary, path) < 0)
		error = vg_error_errno(VG_USAGE, errno, "cannot create %s", path);
	if (error)
		unlink(temporary);
	return error;
}
