/* SPDX-License-Identifier: MIT */
/*
 * The work of a search: runs of pages that have content, in batches that any number of workers take
 * one by one. A batch is read in one system call, however scattered its pages are.
 *
 * The memory for all this is kept from one search to the next: the one inside the stop allocates
 * nothing and meets no page of its own that was never touched.
 */
#ifndef PATCHER_COROUTINE_SWEEP_H
#define PATCHER_COROUTINE_SWEEP_H

#include "patcher/coroutine.h"

#define SWEEP_BYTES	  (UINT64_C(256) << 10)
#define SWEEP_RUNS	  64
#define SWEEP_WORKERS_MAX 8

struct sweep_run {
	uint64_t start, end;
};

struct sweep_batch {
	size_t first, count; /* of the runs; at most SWEEP_RUNS */
	uint64_t bytes;	     /* at most SWEEP_BYTES */
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

struct sweep {
	const struct coroutine_search *search; /* tid, maps and guard */
	struct sweep_run *runs;
	size_t run_count, run_room;
	struct sweep_batch *batches;
	size_t batch_count, batch_room;
	uint64_t bytes; /* of all runs */
	size_t next;	/* atomic: the batch to take next */
	bool no_memory;
	struct sweep_worker *workers[SWEEP_WORKERS_MAX]; /* made when they are needed */
};

/* Takes batches until there are none; a thread's start routine, given a struct sweep_worker. */
void *sweep_work(void *worker);

#endif
