/* SPDX-License-Identifier: MIT */
/* Step 1 of written.h, and what is done about a tool that was killed in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vgraft/area.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/written.h"

/* include/uapi/linux/userfaultfd.h since 6.7; headers of Debian 12 are older. */
#define USER_MODE_ONLY 1
#define WP_UNPOPULATED (UINT64_C(1) << 13)
#define WP_ASYNC       (UINT64_C(1) << 15)
/* A thread of the target that just made one has given it its features by then. */
#define SETTLED (20 * VG_MILLISECOND)

struct opening {
	const struct vg_live_target *target;
	int fd;
	bool began, ended; /* the calls */
};

static bool can_track(int fd)
{
	struct uffdio_api api = {.api = UFFD_API, .features = WP_ASYNC | WP_UNPOPULATED};

	return ioctl(fd, UFFDIO_API, &api) == 0;
}

/* Asked of our own process first: an older kernel is no reason to hold anybody. */
static bool kernel_can_track(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
	bool can = fd >= 0 && can_track(fd);

	if (fd >= 0)
		close(fd);
	return can;
}

static bool may_call(const struct vg_hold *hold, const struct vg_call *call)
{
	struct vg_error *error = vg_hold_check_call(hold, call);

	vg_error_free(error);
	return !error;
}

/* Both calls must pass before the first is made. */
static struct vg_error *open_in_target(struct vg_hold *hold, void *context)
{
	struct opening *opening = context;
	struct vg_call make = {.number = SYS_userfaultfd,
			       .arguments = {O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY}};
	struct vg_call close_it = {.number = SYS_close};
	int64_t made, closed;

	if (!may_call(hold, &make) || !may_call(hold, &close_it))
		return NULL;
	opening->began = true;
	VG_TRY(vg_hold_call(hold, &make, &made));
	if (made >= 0) {
		opening->fd = (int)syscall(SYS_pidfd_getfd, opening->target->pidfd, (int)made, 0);
		close_it.arguments[0] = (uint64_t)made;
		VG_TRY(vg_hold_call(hold, &close_it, &closed));
	}
	opening->ended = true;
	return NULL;
}

static bool is_userfaultfd(const struct vg_live_target *target, const char *descriptor)
{
	char path[64], text[32];
	ssize_t length;

	snprintf(path, sizeof(path), "fd/%.16s", descriptor);
	length = readlinkat(target->proc, path, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	return strcmp(text, "anon_inode:[userfaultfd]") == 0;
}

/* One that nobody has given features: ours never gets any in the target. */
static bool is_unused(const struct vg_live_target *target, const char *descriptor)
{
	char path[64], text[512];
	ssize_t length;

	if (!is_userfaultfd(target, descriptor))
		return false;
	snprintf(path, sizeof(path), "fdinfo/%.16s", descriptor);

	_cleanup_close_ int fd = openat(target->proc, path, O_RDONLY | O_CLOEXEC);

	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return false;
	text[length] = '\0';
	return strstr(text, "API:\taa:0:") != NULL;
}

/* How many descriptors are such ones; *first is one of them. SIZE_MAX: nobody can tell. */
static size_t count(const struct vg_live_target *target,
		    bool (*is_one)(const struct vg_live_target *target, const char *descriptor),
		    int *first)
{
	int fd = openat(target->proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	size_t found = 0;

	if (!directory && fd >= 0)
		close(fd);
	if (!directory)
		return SIZE_MAX;
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_name[0] == '.' || !is_one(target, entry->d_name))
			continue;
		*first = atoi(entry->d_name);
		found++;
	}
	return found;
}

bool vg_written_has_other(const struct vg_live_target *target)
{
	int first;

	return count(target, is_userfaultfd, &first) > 0;
}

static struct vg_error *note(const struct vg_live_target *target, uint64_t journal, bool opens)
{
	uint32_t value = opens;

	return vg_memory_write(&target->memory, journal + offsetof(struct vga_header, opens),
			       &value, sizeof(value));
}

/* Until it is certain that the target has no descriptor of ours, the note stays. */
static struct vg_error *open_noted(const struct vg_hold_options *options, uint64_t journal,
				   struct opening *opening, uint64_t *nanoseconds)
{
	struct vg_error *error;

	VG_TRY(note(opening->target, journal, true));
	error = vg_hold_run(opening->target, options, open_in_target, opening, nanoseconds);
	if (!opening->began || opening->ended)
		vg_error_free(note(opening->target, journal, false));
	return error;
}

struct vg_error *vg_written_open(const struct vg_live_target *target,
				 const struct vg_hold_options *options, uint64_t journal, int *fd,
				 uint64_t *nanoseconds)
{
	struct opening opening = {.target = target, .fd = -1};
	struct vg_error *error;
	int other;

	*fd = -1;
	if (!kernel_can_track() || count(target, is_unused, &other))
		return NULL;
	error = open_noted(options, journal, &opening, nanoseconds);
	if (opening.fd >= 0 && (error || !can_track(opening.fd))) {
		close(opening.fd);
		opening.fd = -1;
	}
	*fd = opening.fd;
	return error;
}

struct leftover {
	const struct vg_live_target *target;
	int fd;
	bool closed;
};

static struct vg_error *close_in_target(struct vg_hold *hold, void *context)
{
	struct leftover *leftover = context;
	struct vg_call call = {.number = SYS_close, .arguments = {(uint64_t)leftover->fd}};
	int64_t result;
	int same;

	if (!may_call(hold, &call) || count(leftover->target, is_unused, &same) != 1 ||
	    same != leftover->fd)
		return NULL;
	VG_TRY(vg_hold_call(hold, &call, &result));
	leftover->closed = result == 0;
	return NULL;
}

struct vg_error *vg_written_recover(const struct vg_live_target *target,
				    const struct vg_hold_options *options, uint64_t journal,
				    bool *closed, uint64_t *nanoseconds)
{
	struct leftover leftover = {.target = target};
	int first;

	*closed = false;
	if (count(target, is_unused, &first) == 1) {
		vg_clock_sleep(SETTLED);
		leftover.fd = first;
		VG_TRY(vg_hold_run(target, options, close_in_target, &leftover, nanoseconds));
		*closed = leftover.closed;
	}
	return note(target, journal, false);
}
