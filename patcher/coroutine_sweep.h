/* SPDX-License-Identifier: MIT */
/*
 * One piece of work of the search: memory that has content, in pieces that any number of workers
 * take one by one.
 */
#ifndef PATCHER_COROUTINE_SWEEP_H
#define PATCHER_COROUTINE_SWEEP_H

#include "patcher/coroutine.h"

#define SWEEP_BYTES (UINT64_C(256) << 10)

struct sweep_piece {
	uint64_t start, end; /* at most SWEEP_BYTES */
};

/* Shared by the workers of a search. */
struct sweep {
	const struct coroutine_search *search; /* tid, maps and guard */
	struct sweep_piece *pieces;
	size_t count, room;
	uint64_t bytes; /* of all pieces */
	size_t next;	/* atomic: the piece to take next */
	bool no_memory;
};

/* What one worker found. */
struct sweep_worker {
	struct sweep *sweep;
	struct coroutine_context *contexts;
	size_t count, room;
	uint64_t bytes, unreadable;
	bool no_memory;
	uint64_t words[SWEEP_BYTES / 8];
};

/* Adds the pages of [start, end) that have content. Both are page-aligned; `pagemap` is open or -1.
 */
void sweep_list_pages(struct sweep *sweep, int pagemap, uint64_t start, uint64_t end);
/* Takes pieces until there are none; a thread's start routine, given a struct sweep_worker. */
void *sweep_work(void *worker);

#endif
