/* SPDX-License-Identifier: MIT */
#include "patcher/written.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/pages.h"

/* include/uapi/linux/userfaultfd.h and fs.h since 6.7; headers of Debian 12 are older. */
#define PAGE_WP_ALLOWED (UINT64_C(1) << 0)
#define PAGE_WRITTEN	(UINT64_C(1) << 1)
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

/* Guard regions count as swapped out here: pagemap itself tells them apart. */
static void take_run(int pagemap, const struct page_run *run, vg_written_fn *take, void *context)
{
	if (run->categories & PAGE_PRESENT)
		take(context, run->start, run->end);
	else if (run->categories)
		vg_pages_list(pagemap, run->start, run->end, true, take, context);
}

/* Asks until the end, and gives what has content. */
static bool list(int pagemap, struct scan *scan, vg_written_fn *take, void *context)
{
	const struct page_run *runs = (const struct page_run *)scan->runs;

	scan->returned = PAGE_PRESENT | PAGE_SWAPPED;
	while (scan->walk_end < scan->end) {
		scan->start = scan->walk_end;

		int count = ioctl(pagemap, PAGEMAP_SCAN_CALL, scan);

		if (count < 0 || scan->walk_end <= scan->start)
			return false;
		for (int i = 0; i < count; i++)
			take_run(pagemap, &runs[i], take, context);
	}
	return true;
}

bool vg_written_list(int pagemap, uint64_t start, uint64_t end, vg_written_fn *take, void *context)
{
	struct page_run runs[RUNS];
	struct scan scan = scan_of(start, end, runs);

	/*
	 * Written, or of a mapping that is not protected. Whether it is a file's page is not asked:
	 * for that the kernel looks at each page, which takes most of the time, and few are.
	 */
	scan.inverted = PAGE_WP_ALLOWED;
	scan.any_of = PAGE_WRITTEN | PAGE_WP_ALLOWED;
	return list(pagemap, &scan, take, context);
}

bool vg_written_take(int pagemap, uint64_t start, uint64_t end, vg_written_fn *take, void *context)
{
	struct page_run runs[RUNS];
	struct scan scan = scan_of(start, end, runs);

	scan.flags = SCAN_PROTECTS;
	scan.all_of = PAGE_WP_ALLOWED | PAGE_WRITTEN;
	/* Or else it would protect where nothing is, and make page tables for that. */
	scan.any_of = PAGE_PRESENT | PAGE_SWAPPED;
	return list(pagemap, &scan, take, context);
}
