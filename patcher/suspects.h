/* SPDX-License-Identifier: MIT */
#ifndef PATCHER_SUSPECTS_H
#define PATCHER_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs of pages, ascending: what they hold is for the stop to judge. */
struct vg_suspects {
	struct vg_suspect {
		uint64_t start, end;
	} * runs;
	size_t count, room;
	bool no_memory;
};
/* Behind all that are there, or overlapping the last. */
void vg_suspects_add(struct vg_suspects *suspects, uint64_t start, uint64_t end);
/* Puts all in order; what overlaps becomes one. False: there is no room for `more`. */
bool vg_suspects_join(struct vg_suspects *suspects, const struct vg_suspects *more);
void vg_suspects_clear(struct vg_suspects *suspects);

#endif
