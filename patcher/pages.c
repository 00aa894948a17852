/* SPDX-License-Identifier: MIT */
#include "patcher/pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAP_MAX (UINT64_C(64) << 20)
#define ENTRIES 512
/* admin-guide/mm/pagemap */
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define OF_FILE (UINT64_C(1) << 61)
#define GUARD	(UINT64_C(1) << 58) /* since Linux 6.15 */

int vg_pages_open(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * A guard region (MADV_GUARD_INSTALL; glibc has them below the stacks of threads since 2.42) is
 * shown as swapped out, but has nothing, and can't be read.
 */
static bool has_content(uint64_t entry, bool of_file)
{
	if (!(entry & (PRESENT | SWAPPED)) || entry & GUARD)
		return false;
	return of_file || !(entry & PRESENT && entry & OF_FILE);
}

void vg_pages_list(int pagemap, uint64_t start, uint64_t end, bool of_file,
		   void (*take)(void *context, uint64_t start, uint64_t end), void *context)
{
	uint64_t entries[ENTRIES], run = 0;

	for (uint64_t at = start; at < end;) {
		uint64_t left = (end - at) / VG_PAGE;
		size_t count = left < ENTRIES ? left : ENTRIES;

		/* Without an answer every page has to be taken for one with content. */
		if (pread(pagemap, entries, 8 * count, (off_t)(at / VG_PAGE * 8)) !=
		    (ssize_t)(8 * count))
			memset(entries, PRESENT >> 56, sizeof(entries));
		for (size_t i = 0; i < count; i++, at += VG_PAGE) {
			bool has = has_content(entries[i], of_file);

			if (has && !run)
				run = at;
			if (!has && run) {
				take(context, run, at);
				run = 0;
			}
		}
	}
	if (run)
		take(context, run, end);
}

bool vg_map_is_too_large(const struct vg_map *map)
{
	return map->end - map->start > MAP_MAX && strcmp(map->path, "[heap]") != 0;
}
