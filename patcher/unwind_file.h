/* SPDX-License-Identifier: MIT */
/*
 * The file behind a mapping. Opened by the mapping itself (/proc/PID/map_files), so that a file
 * that was replaced is still the one that the target runs; where the kernel does not allow that,
 * the program by /proc/PID/exe, others by their path as the target sees it.
 *
 * Thread context: target running; files take time.
 */
#ifndef PATCHER_UNWIND_FILE_H
#define PATCHER_UNWIND_FILE_H

#include <sys/types.h>

#include "common/process_maps.h"

int unwind_file_open(pid_t pid, const struct vg_map *map); /* -1: cannot */
/* Module address and size of .eh_frame by the section table. */
bool unwind_file_eh_frame(pid_t pid, const struct vg_map *map, uint64_t *address, uint64_t *bytes);

#endif
