/* SPDX-License-Identifier: MIT */
#include "patcher/written.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/pages.h"

/* include/uapi/linux/userfaultfd.h and fs.h since 6.7; headers of Debian 12 are older. */
#define USER_MODE_ONLY	1
#define WP_UNPOPULATED	(UINT64_C(1) << 13)
#define WP_ASYNC	(UINT64_C(1) << 15)
#define PAGE_WP_ALLOWED (UINT64_C(1) << 0)
#define PAGE_WRITTEN	(UINT64_C(1) << 1)
#define PAGE_OF_FILE	(UINT64_C(1) << 2)
#define PAGE_PRESENT	(UINT64_C(1) << 3)
#define PAGE_SWAPPED	(UINT64_C(1) << 4)
#define SCAN_PROTECTS	(UINT64_C(1) << 0)

struct page_run {
	uint64_t start, end, categories;
};

struct scan {
	uint64_t size, flags, start, end, walk_end;
	uint64_t runs, run_count, most_pages;
	uint64_t inverted, all_of, any_of, returned;
};

#define PAGEMAP_SCAN_CALL _IOWR('f', 16, struct scan)
#define RUNS		  512

struct opening {
	const struct vg_live_target *target;
	int fd;
};

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
	VG_TRY(vg_hold_call(hold, &make, &made));
	if (made < 0)
		return NULL;
	opening->fd = (int)syscall(SYS_pidfd_getfd, opening->target->pidfd, (int)made, 0);
	close_it.arguments[0] = (uint64_t)made;
	return vg_hold_call(hold, &close_it, &closed);
}

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

struct vg_error *vg_written_open(const struct vg_live_target *target,
				 const struct vg_hold_options *options, int *fd,
				 uint64_t *nanoseconds)
{
	struct opening opening = {.target = target, .fd = -1};
	struct vg_error *error;

	*fd = -1;
	if (!kernel_can_track())
		return NULL;
	error = vg_hold_run(target, options, open_in_target, &opening, nanoseconds);
	if (opening.fd >= 0 && (error || !can_track(opening.fd))) {
		close(opening.fd);
		opening.fd = -1;
	}
	*fd = opening.fd;
	return error;
}

static bool scan_on(int pagemap, struct scan *scan)
{
	scan->start = scan->walk_end;
	return ioctl(pagemap, PAGEMAP_SCAN_CALL, scan) >= 0 && scan->walk_end > scan->start;
}

/* The kernel takes memory for as many runs as may be, so it is not asked for more than can be. */
static struct scan scan_of(uint64_t start, uint64_t end, struct page_run *runs)
{
	uint64_t pages = (end - start) / VG_PAGE;

	return (struct scan){.size = sizeof(struct scan),
			     .walk_end = start,
			     .end = end,
			     .runs = (uint64_t)runs,
			     .run_count = pages < RUNS ? pages : RUNS};
}

/* What fails here is found to be written, and is searched again. */
static void protect(int fd, int pagemap, uint64_t start, uint64_t end)
{
	struct uffdio_register area = {.range = {start, end - start},
				       .mode = UFFDIO_REGISTER_MODE_WP};
	struct page_run runs[RUNS];
	struct scan scan = scan_of(start, end, runs);

	if (ioctl(fd, UFFDIO_REGISTER, &area))
		return;
	scan.flags = SCAN_PROTECTS;
	scan.all_of = PAGE_WP_ALLOWED | PAGE_WRITTEN;
	scan.any_of = PAGE_PRESENT | PAGE_SWAPPED;
	scan.returned = PAGE_WRITTEN;
	while (scan.walk_end < end && scan_on(pagemap, &scan))
		;
}

/* What is searched for contexts and for pointers, but for stacks in mappings that are too large. */
static bool is_protected(const struct vg_map *map)
{
	return !map->shared && (map->writable || vg_map_is_anonymous(map)) &&
	       !vg_map_is_too_large(map);
}

void vg_written_protect(int fd, pid_t pid, const struct vg_maps *maps)
{
	_cleanup_close_ int pagemap = vg_pages_open(pid);

	for (size_t i = 0; i < maps->count; i++)
		if (is_protected(&maps->maps[i]))
			protect(fd, pagemap, maps->maps[i].start, maps->maps[i].end);
}

bool vg_written_list(int pagemap, uint64_t start, uint64_t end,
		     void (*take)(void *context, uint64_t start, uint64_t end), void *context)
{
	struct page_run runs[RUNS];
	struct scan scan = scan_of(start, end, runs);

	/* Not of the file, and either written or of a mapping that is not protected. */
	scan.inverted = PAGE_OF_FILE | PAGE_WP_ALLOWED;
	scan.all_of = PAGE_OF_FILE;
	scan.any_of = PAGE_WRITTEN | PAGE_WP_ALLOWED;
	scan.returned = PAGE_PRESENT | PAGE_SWAPPED;
	while (scan.walk_end < end) {
		scan.start = scan.walk_end;

		int count = ioctl(pagemap, PAGEMAP_SCAN_CALL, &scan);

		if (count < 0 || scan.walk_end <= scan.start)
			return false;
		for (int i = 0; i < count; i++)
			if (runs[i].categories)
				take(context, runs[i].start, runs[i].end);
	}
	return true;
}
