/* SPDX-License-Identifier: MIT */
/*
 * The search through memory; what is looked for is told in coroutine.h.
 *
 * 1. List the pages with content of all mappings that can hold contexts, in batches.
 * 2. Let workers look through the batches: in a stop, the processors that the target's threads ran
 * on have nothing else to do.
 * 3. Put together what they found, in the order of addresses.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/coroutine_sweep.h"
#include "patcher/pages.h"
#include "patcher/written.h"

/* Less than this is read faster than a thread is made. */
#define WORKER_BYTES (UINT64_C(2) << 20)

/* Makes room for one more of an array whose elements have `size` bytes. */
static bool make_room(void **array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? 2 * *room : 1024;
	void *grown;

	if (count < *room)
		return true;
	grown = reallocarray(*array, wanted, size);
	if (!grown)
		return false;
	*array = grown;
	*room = wanted;
	return true;
}

static bool fits(const struct sweep *sweep, uint64_t bytes)
{
	const struct sweep_batch *last = sweep->batches + sweep->batch_count - 1;

	return sweep->batch_count && last->count < SWEEP_RUNS && last->bytes + bytes <= SWEEP_BYTES;
}

/* At most SWEEP_BYTES. */
static void add_piece(struct sweep *sweep, uint64_t start, uint64_t end)
{
	if (!make_room((void **)&sweep->runs, sweep->run_count, &sweep->run_room,
		       sizeof(*sweep->runs)) ||
	    !make_room((void **)&sweep->batches, sweep->batch_count, &sweep->batch_room,
		       sizeof(*sweep->batches))) {
		sweep->no_memory = true;
		return;
	}
	if (!fits(sweep, end - start))
		sweep->batches[sweep->batch_count++] =
			(struct sweep_batch){.first = sweep->run_count};
	sweep->batches[sweep->batch_count - 1].count++;
	sweep->batches[sweep->batch_count - 1].bytes += end - start;
	sweep->bytes += end - start;
	sweep->runs[sweep->run_count++] = (struct sweep_run){start, end};
}

static void add_run(struct sweep *sweep, uint64_t start, uint64_t end)
{
	for (; end - start > SWEEP_BYTES; start += SWEEP_BYTES)
		add_piece(sweep, start, start + SWEEP_BYTES);
	add_piece(sweep, start, end);
}

static bool can_hold_contexts(const struct vg_map *map)
{
	return map->readable && map->writable && !map->shared;
}

static void take_run(void *sweep, uint64_t start, uint64_t end)
{
	add_run(sweep, start, end);
}

static void list_map(const struct coroutine_search *search, struct sweep *sweep, int pagemap,
		     const struct vg_map *map)
{
	if (search->only_written && vg_written_list(pagemap, map->start, map->end, take_run, sweep))
		return;
	vg_pages_list(pagemap, map->start, map->end, false, take_run, sweep);
}

/* Step 1. */
static void list_batches(struct coroutine_search *search, struct sweep *sweep)
{
	_cleanup_close_ int pagemap = vg_pages_open(search->tid);

	for (size_t i = 0; i < search->maps->count; i++) {
		const struct vg_map *map = &search->maps->maps[i];

		if (!can_hold_contexts(map))
			continue;
		if (vg_map_is_too_large(map))
			search->left_out += map->end - map->start;
		else
			list_map(search, sweep, pagemap, map);
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
	return wanted > SWEEP_WORKERS_MAX ? SWEEP_WORKERS_MAX : wanted;
}

/* Touched when it is made, so that the stop need not. */
static struct sweep_worker *make_worker(struct sweep *sweep)
{
	struct sweep_worker *worker = malloc(sizeof(*worker));

	if (!worker)
		return NULL;
	memset(worker, 0xff, sizeof(*worker));
	*worker = (struct sweep_worker){.sweep = sweep};
	return worker;
}

/* At least one, or none can be made. */
static size_t make_workers(struct sweep *sweep, size_t wanted)
{
	size_t count = 0;

	for (; count < wanted; count++) {
		struct sweep_worker **worker = &sweep->workers[count];

		if (!*worker)
			*worker = make_worker(sweep);
		if (!*worker)
			break;
		(*worker)->count = 0;
		(*worker)->bytes = (*worker)->unreadable = 0;
		(*worker)->no_memory = false;
	}
	return count;
}

/* Step 2. The caller is a worker too; a thread that cannot be made is work for the others. */
static void let_work(struct sweep *sweep, size_t count)
{
	pthread_t threads[SWEEP_WORKERS_MAX];
	bool is_made[SWEEP_WORKERS_MAX] = {false};

	for (size_t i = 1; i < count; i++)
		is_made[i] = !pthread_create(&threads[i], NULL, sweep_work, sweep->workers[i]);
	sweep_work(sweep->workers[0]);
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
static bool collect(struct coroutine_search *search, const struct sweep *sweep, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		const struct sweep_worker *worker = sweep->workers[i];

		if (worker->no_memory)
			return false;
		total += worker->count;
		search->bytes += worker->bytes;
		if (worker->unreadable)
			search->unreadable = worker->unreadable;
	}
	search->contexts = calloc(total + 1, sizeof(*search->contexts));
	if (!search->contexts)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct sweep_worker *worker = sweep->workers[i];

		if (worker->count)
			memcpy(search->contexts + search->count, worker->contexts,
			       worker->count * sizeof(*search->contexts));
		search->count += worker->count;
	}
	qsort(search->contexts, search->count, sizeof(*search->contexts), by_address);
	return true;
}

static bool run_sweep(struct coroutine_search *search, struct sweep *sweep)
{
	size_t count = sweep->no_memory ? 0 : make_workers(sweep, worker_count(sweep));

	if (!count)
		return false;
	let_work(sweep, count);
	return collect(search, sweep, count);
}

struct vg_error *coroutine_search(struct coroutine_search *search)
{
	struct sweep *sweep = search->sweep ? search->sweep : calloc(1, sizeof(*sweep));

	coroutine_search_clear(search);
	if (!sweep)
		return vg_error_no_memory();
	search->sweep = sweep;
	sweep->search = search;
	sweep->run_count = sweep->batch_count = sweep->next = 0;
	sweep->bytes = 0;
	sweep->no_memory = false;
	list_batches(search, sweep);
	return run_sweep(search, sweep) ? NULL : vg_error_no_memory();
}

void coroutine_search_clear(struct coroutine_search *search)
{
	free(search->contexts);
	search->contexts = NULL;
	search->count = 0;
	search->bytes = search->left_out = search->unreadable = 0;
}

void coroutine_sweep_free(struct sweep *sweep)
{
	if (!sweep)
		return;
	for (size_t i = 0; i < SWEEP_WORKERS_MAX; i++) {
		if (sweep->workers[i])
			free(sweep->workers[i]->contexts);
		free(sweep->workers[i]);
	}
	free(sweep->runs);
	free(sweep->batches);
	free(sweep);
}
