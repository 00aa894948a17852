/* SPDX-License-Identifier: MIT */
/*
 * Are the mappings of a process what they were? The kernel tells them one by one as numbers (Linux
 * 6.11, PROCMAP_QUERY; see include/uapi/linux/fs.h), which takes it less time than the text does.
 * What has no number (the name of anonymous memory) does not count.
 */
#ifndef COMMON_PROCESS_MAPS_QUERY_H
#define COMMON_PROCESS_MAPS_QUERY_H

#include "common/process_maps.h"

/* `fd` is an open /proc/PID/maps. False: this kernel does not tell. */
bool vg_maps_query(int fd, const struct vg_maps *maps, bool *same);

#endif
