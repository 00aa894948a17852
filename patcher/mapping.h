/* SPDX-License-Identifier: MIT */
/* Questions about single mappings that /proc/PID/maps does not answer. */
#ifndef PATCHER_MAPPING_H
#define PATCHER_MAPPING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/process_maps.h"

/* Private memory behind no file, named by prctl(PR_SET_VMA) or not. */
bool vg_mapping_is_private_anonymous(const struct vg_map *map);
/* Private anonymous and read-execute, as patch areas are. */
bool vg_mapping_may_be_area(const struct vg_map *map);
/* Is there something in the page: in memory or in swap? True if that can't be found out. */
bool vg_mapping_is_page_present(pid_t pid, uint64_t address);
/*
 * No page of the mapping was ever touched and it reserves no memory (smaps: nothing resident,
 * nothing swapped, VmFlags nr): what mmap() has left when the tool was killed right behind it.
 * False if that can't be found out.
 */
bool vg_mapping_is_untouched(pid_t pid, const struct vg_map *map);
/* The mapping is of the file that /proc/PID/exe is, whatever lies at its path by now. */
bool vg_mapping_is_exe(pid_t pid, const struct vg_map *map);

#endif
