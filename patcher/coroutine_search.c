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
#define PASSED_BYTES (UINT64_C(256) << 10)

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

bool coroutine_is_searched(const struct vg_map *map)
{
	return can_hold_contexts(map) && !vg_map_is_too_large(map);
}

/* One walk along the mappings. */
struct listing {
	struct coroutine_search *search;
	struct sweep *sweep;
	const struct vg_map *map; /* where the last run lay */
};

static void list_run(void *sweep, uint64_t start, uint64_t end)
{
	add_run(sweep, start, end);
}

/* A run may lie in several mappings, and in some that are not searched. */
static void list_written_run(void *context, uint64_t start, uint64_t end)
{
	struct listing *listing = context;
	struct coroutine_search *search = listing->search;
	const struct vg_map *behind = search->maps->maps + search->maps->count;

	if (search->taken)
		search->taken(search->taken_context, start, end);
	for (; listing->map < behind && listing->map->start < end; listing->map++) {
		uint64_t from = start > listing->map->start ? start : listing->map->start;
		uint64_t to = end < listing->map->end ? end : listing->map->end;

		if (from < to && coroutine_is_searched(listing->map))
			add_run(listing->sweep, from, to);
		else if (from < to)
			search->lost_track |= search->protects_again;
		if (end <= listing->map->end)
			return;
	}
	/* Mapped since the maps were read. */
	search->lost_track |= search->protects_again;
}

/* To ask once more takes as long as to pass over some 64 pages with content. */
static bool is_passed_over(const struct vg_map *map)
{
	return coroutine_is_searched(map) || map->end - map->start < PASSED_BYTES;
}

/* How many mappings from this one on are asked about at once. */
static size_t length_of_stretch(const struct vg_maps *maps, size_t first)
{
	size_t end = first + 1;

	for (size_t i = first; i < maps->count && is_passed_over(&maps->maps[i]); i++)
		if (coroutine_is_searched(&maps->maps[i]))
			end = i + 1;
	return end - first;
}

/* How many mappings were dealt with, from this one on; 0: the kernel does not tell. */
static size_t list_written(struct listing *listing, int pagemap, size_t first)
{
	const struct coroutine_search *search = listing->search;
	size_t count = length_of_stretch(search->maps, first);
	const struct vg_map *map = &search->maps->maps[first];

	listing->map = map;
	return (search->protects_again ? vg_written_take : vg_written_list)(
		       pagemap, map->start, map[count - 1].end, list_written_run, listing)
		       ? count
		       : 0;
}

/* Step 1. */
static void list_batches(struct coroutine_search *search, struct sweep *sweep)
{
	_cleanup_close_ int pagemap = vg_pages_open(search->memory->pid);
	struct listing listing = {search, sweep, NULL};

	for (size_t i = 0, count; i < search->maps->count; i += count) {
		const struct vg_map *map = &search->maps->maps[i];

		count = 1;
		if (!coroutine_is_searched(map)) {
			if (can_hold_contexts(map))
				search->left_out += map->end - map->start;
			continue;
		}
		if (search->only_written && (count = list_written(&listing, pagemap, i)) > 0)
			continue;
		count = 1;
		search->lost_track |= search->protects_again;
		vg_pages_list(pagemap, map->start, map->end, false, list_run, sweep);
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

struct vg_error *coroutine_search_listed(struct coroutine_search *search)
{
	struct sweep *sweep = search->sweep;
	size_t count = make_workers(sweep, worker_count(sweep));

	if (!count)
		return vg_error_no_memory();
	let_work(sweep, count);
	return collect(search, sweep, count) ? NULL : vg_error_no_memory();
}

struct vg_error *coroutine_search_list(struct coroutine_search *search)
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
	return sweep->no_memory ? vg_error_no_memory() : NULL;
}

struct vg_error *coroutine_search(struct coroutine_search *search)
{
	VG_TRY(coroutine_search_list(search));
	return coroutine_search_listed(search);
}

void coroutine_search_runs(const struct coroutine_search *search, vg_written_fn *take,
			   void *context)
{
	const struct sweep *sweep = search->sweep;

	for (size_t i = 0; i < sweep->run_count; i++)
		take(context, sweep->runs[i].start, sweep->runs[i].end);
}

bool coroutine_search_has(const struct coroutine_search *search, uint64_t start, uint64_t end)
{
	const struct sweep *sweep = search->sweep;
	size_t low = 0, high = sweep->run_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sweep->runs[middle].end <= start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sweep->run_count && sweep->runs[low].start < end;
}

bool coroutine_search_knows(const struct coroutine_search *search,
			    const struct coroutine_context *context)
{
	size_t low = 0, high = search->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->contexts[middle].address < context->address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < search->count && search->contexts[low].address == context->address; low++)
		if (search->contexts[low].kind == context->kind)
			return true;
	return false;
}

struct vg_error *coroutine_search_merge(struct coroutine_search *search,
					const struct coroutine_search *other)
{
	size_t count = search->count;
	struct coroutine_context *grown =
		reallocarray(search->contexts, count + other->count + 1, sizeof(*grown));

	if (!grown)
		return vg_error_no_memory();
	search->contexts = grown;
	for (size_t i = 0; i < other->count; i++)
		if (!coroutine_search_knows(search, &other->contexts[i]))
			grown[count++] = other->contexts[i];
	search->count = count;
	qsort(grown, search->count, sizeof(*grown), by_address);
	if (!search->unreadable)
		search->unreadable = other->unreadable;
	return NULL;
}

void coroutine_search_clear(struct coroutine_search *search)
{
	free(search->contexts);
	search->contexts = NULL;
	search->count = 0;
	search->bytes = search->left_out = search->unreadable = 0;
	search->lost_track = false;
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
