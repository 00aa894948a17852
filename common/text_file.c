/* SPDX-License-Identifier: MIT */
#include "common/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define FIRST_ROOM 4096

struct vg_error *vg_text_file_read_fd(int fd, const char *path, char **bytes, size_t *count)
{
	_cleanup_free_ char *buffer = NULL;
	size_t room = 0, used = 0;

	for (;;) {
		if (used + 1 >= room) {
			room = room ? 2 * room : FIRST_ROOM;
			char *grown = realloc(buffer, room);
			if (!grown)
				return vg_error_no_memory();
			buffer = grown;
		}
		ssize_t got = read(fd, buffer + used, room - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vg_error_errno(VG_USAGE, errno, "cannot read %s", path);
		if (got == 0)
			break;
		used += (size_t)got;
	}
	buffer[used] = '\0';
	*bytes = vg_take(buffer);
	if (count)
		*count = used;
	return NULL;
}

struct vg_error *vg_text_file_read(const char *path, char **bytes, size_t *count)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot open %s", path);
	return vg_text_file_read_fd(fd, path, bytes, count);
}
