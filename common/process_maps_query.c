/* SPDX-License-Identifier: MIT */
#include "common/process_maps_query.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define IS_READABLE   (UINT64_C(1) << 0)
#define IS_WRITABLE   (UINT64_C(1) << 1)
#define IS_EXECUTABLE (UINT64_C(1) << 2)
#define IS_SHARED     (UINT64_C(1) << 3)
#define OR_THE_NEXT   (UINT64_C(1) << 4)

/* struct procmap_query, which the headers of Debian 12 do not have. */
struct query {
	uint64_t size, flags, address;
	/* The answer: */
	uint64_t start, end, is, page_size, offset, inode;
	uint32_t device_major, device_minor, name_size, build_id_size;
	uint64_t name, build_id;
};

#define QUERY_CALL _IOWR('f', 17, struct query)

static bool has(const struct query *query, uint64_t bit)
{
	return query->is & bit;
}

static bool is_same(const struct vg_map *map, const struct query *query)
{
	return map->start == query->start && map->end == query->end &&
	       map->offset == query->offset && map->inode == query->inode &&
	       map->device_major == query->device_major &&
	       map->device_minor == query->device_minor &&
	       map->readable == has(query, IS_READABLE) &&
	       map->writable == has(query, IS_WRITABLE) &&
	       map->executable == has(query, IS_EXECUTABLE) && map->shared == has(query, IS_SHARED);
}

/* The page that the text shows behind all others is the kernel's own; no mapping. */
static size_t count_own(const struct vg_maps *maps)
{
	const struct vg_map *last = maps->count ? &maps->maps[maps->count - 1] : NULL;

	return last && !strcmp(last->path, "[vsyscall]") ? maps->count - 1 : maps->count;
}

/* The errno of the kernel; ENOENT: there is none. */
static int ask_for_next(int fd, struct query *query)
{
	*query =
		(struct query){.size = sizeof(*query), .flags = OR_THE_NEXT, .address = query->end};
	return ioctl(fd, QUERY_CALL, query) < 0 ? errno : 0;
}

bool vg_maps_query(int fd, const struct vg_maps *maps, bool *same)
{
	size_t count = count_own(maps), i = 0;
	struct query query = {.end = 0};
	int error;

	while (!(error = ask_for_next(fd, &query)) && i < count && is_same(&maps->maps[i], &query))
		i++;
	*same = i == count && error == ENOENT;
	return error != ENOTTY;
}
