/* SPDX-License-Identifier: MIT */
#include "patcher/suspects.h"

#include <stdlib.h>

void vg_suspects_add(struct vg_suspects *suspects, uint64_t start, uint64_t end)
{
	struct vg_suspect *last = suspects->count ? &suspects->runs[suspects->count - 1] : NULL;

	if (last && start <= last->end) {
		last->end = end > last->end ? end : last->end;
		return;
	}
	if (suspects->count == suspects->room) {
		size_t room = 2 * suspects->room + 64;
		struct vg_suspect *grown = reallocarray(suspects->runs, room, sizeof(*grown));

		if (!grown) {
			suspects->no_memory = true;
			return;
		}
		suspects->runs = grown;
		suspects->room = room;
	}
	suspects->runs[suspects->count++] = (struct vg_suspect){start, end};
}

void vg_suspects_clear(struct vg_suspects *suspects)
{
	free(suspects->runs);
	*suspects = (struct vg_suspects){0};
}

static int by_start(const void *left, const void *right)
{
	const struct vg_suspect *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

static bool append(struct vg_suspects *all, const struct vg_suspects *more)
{
	struct vg_suspect *grown =
		reallocarray(all->runs, all->count + more->count + 1, sizeof(*grown));

	if (!grown)
		return false;
	all->runs = grown;
	all->room = all->count + more->count + 1;
	for (size_t i = 0; i < more->count; i++)
		grown[all->count++] = more->runs[i];
	return true;
}

/* Puts the runs in order; what overlaps becomes one. */
static void put_in_order(struct vg_suspects *suspects)
{
	size_t count = suspects->count;

	if (count)
		qsort(suspects->runs, count, sizeof(*suspects->runs), by_start);
	suspects->count = 0;
	for (size_t i = 0; i < count; i++)
		vg_suspects_add(suspects, suspects->runs[i].start, suspects->runs[i].end);
}

bool vg_suspects_join(struct vg_suspects *suspects, const struct vg_suspects *more)
{
	bool has_room = append(suspects, more);

	put_in_order(suspects);
	return has_room;
}
