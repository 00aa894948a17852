/* SPDX-License-Identifier: MIT */
/*
 * The search through memory; what is looked for is told in coroutine.h.
 *
 * 1. List the pages with content of all mappings that can hold contexts, in pieces.
 * 2. Let workers look through the pieces: in a stop, the processors that the target's threads ran
 * on have nothing else to do.
 * 3. Put together what they found, in the order of addresses.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/coroutine_sweep.h"

#define PAGE	UINT64_C(4096)
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)

#define WORKERS_MAX 8
/* Less than this is read faster than a thread is made. */
#define WORKER_BYTES (UINT64_C(2) << 20)

static void add_piece(struct sweep *sweep, uint64_t start, uint64_t end)
{
	if (sweep->count == sweep->room) {
		size_t room = sweep->room ? 2 * sweep->room : 1024;
		struct sweep_piece *grown = reallocarray(sweep->pieces, room, sizeof(*grown));

		if (!grown) {
			sweep->no_memory = true;
			return;
		}
		sweep->pieces = grown;
		sweep->room = room;
	}
	sweep->bytes += end - start;
	sweep->pieces[sweep->count++] = (struct sweep_piece){start, end};
}

static void add_run(struct sweep *sweep, uint64_t start, uint64_t end)
{
	for (; end - start > SWEEP_BYTES; start += SWEEP_BYTES)
		add_piece(sweep, start, start + SWEEP_BYTES);
	add_piece(sweep, start, end);
}

void sweep_list_pages(struct sweep *sweep, int pagemap, uint64_t start, uint64_t end)
{
	uint64_t entries[512], run = 0;

	for (uint64_t at = start; at < end;) {
		size_t count = (end - at) / PAGE < 512 ? (end - at) / PAGE : 512;

		/* Without an answer every page has to be taken for one with content. */
		if (pread(pagemap, entries, 8 * count, (off_t)(at / PAGE * 8)) !=
		    (ssize_t)(8 * count))
			memset(entries, 0xff, sizeof(entries));
		for (size_t i = 0; i < count; i++, at += PAGE) {
			bool has_content = entries[i] & (PRESENT | SWAPPED);

			if (has_content && !run)
				run = at;
			if (!has_content && run) {
				add_run(sweep, run, at);
				run = 0;
			}
		}
	}
	if (run)
		add_run(sweep, run, end);
}

static bool can_hold_contexts(const struct vg_map *map)
{
	return map->readable && map->writable && !map->shared;
}

/* Step 1. */
static void list_pieces(struct coroutine_search *search, struct sweep *sweep)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", search->tid);
	_cleanup_close_ int pagemap = open(path, O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < search->maps->count; i++) {
		const struct vg_map *map = &search->maps->maps[i];

		if (!can_hold_contexts(map))
			continue;
		if (map->end - map->start > COROUTINE_MAP_MAX)
			search->left_out += map->end - map->start;
		else
			sweep_list_pages(sweep, pagemap, map->start, map->end);
	}
}

static size_t worker_count(const struct sweep *sweep)
{
	size_t wanted = sweep->bytes / WORKER_BYTES + 1, processors = 1;
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof(set), &set))
		processors = (size_t)CPU_COUNT(&set);
	if (wanted > processors)
		wanted = processors;
	return wanted > WORKERS_MAX ? WORKERS_MAX : wanted;
}

/* Step 2. The caller is a worker too; a thread that cannot be made is work for the others. */
static void let_work(struct sweep_worker *workers, size_t count)
{
	pthread_t threads[WORKERS_MAX];
	bool is_made[WORKERS_MAX] = {false};

	for (size_t i = 1; i < count; i++)
		is_made[i] = !pthread_create(&threads[i], NULL, sweep_work, &workers[i]);
	sweep_work(&workers[0]);
	for (size_t i = 1; i < count; i++)
		if (is_made[i])
			pthread_join(threads[i], NULL);
}

static int by_address(const void *left, const void *right)
{
	const struct coroutine_context *a = left, *b = right;

	return (a->address > b->address) - (a->address < b->address);
}

/* Step 3. */
static bool collect(struct coroutine_search *search, const struct sweep_worker *workers,
		    size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		if (workers[i].no_memory)
			return false;
		total += workers[i].count;
		search->bytes += workers[i].bytes;
		if (workers[i].unreadable)
			search->unreadable = workers[i].unreadable;
	}
	search->contexts = calloc(total + 1, sizeof(*search->contexts));
	if (!search->contexts)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (workers[i].count)
			memcpy(search->contexts + search->count, workers[i].contexts,
			       workers[i].count * sizeof(*search->contexts));
		search->count += workers[i].count;
	}
	qsort(search->contexts, search->count, sizeof(*search->contexts), by_address);
	return true;
}

static bool run_sweep(struct coroutine_search *search, struct sweep *sweep)
{
	size_t count = worker_count(sweep);
	struct sweep_worker *workers = calloc(count, sizeof(*workers));
	bool done;

	if (!workers)
		return false;
	for (size_t i = 0; i < count; i++)
		workers[i].sweep = sweep;
	let_work(workers, count);
	done = collect(search, workers, count);
	for (size_t i = 0; i < count; i++)
		free(workers[i].contexts);
	free(workers);
	return done;
}

struct vg_error *coroutine_search(struct coroutine_search *search)
{
	struct sweep sweep = {.search = search};
	bool done;

	coroutine_search_clear(search);
	list_pieces(search, &sweep);
	done = !sweep.no_memory && run_sweep(search, &sweep);
	free(sweep.pieces);
	return done ? NULL : vg_error_no_memory();
}

void coroutine_search_clear(struct coroutine_search *search)
{
	free(search->contexts);
	search->contexts = NULL;
	search->count = 0;
	search->bytes = search->left_out = search->unreadable = 0;
}
