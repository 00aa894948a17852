/* SPDX-License-Identifier: MIT */
/*
 * The pages of a target that have content, and the mappings that are too large to be looked at.
 *
 * Thread context: any; a running target may change what is told.
 */
#ifndef PATCHER_PAGES_H
#define PATCHER_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/process_maps.h"

#define VG_PAGE UINT64_C(4096)

/* An open /proc/TID/pagemap, or -1. */
int vg_pages_open(pid_t tid);

/*
 * Gives the runs of pages in [start, end) that have content. A page of a private file mapping that
 * nobody wrote is the file's and has none of its own; with `of_file` such pages count: shared
 * memory, all of whose pages the kernel takes for a file's. What it does not tell about counts.
 */
void vg_pages_list(int pagemap, uint64_t start, uint64_t end, bool of_file,
		   void (*take)(void *context, uint64_t start, uint64_t end), void *context);

/*
 * Mappings over 64 MiB are a guest's memory, which holds nothing of the program's own, or else are
 * told about. The heap of malloc is no guest's memory, however large.
 */
bool vg_map_is_too_large(const struct vg_map *map);

#endif
