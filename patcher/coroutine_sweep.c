/* SPDX-License-Identifier: MIT */
#include "patcher/coroutine_sweep.h"

#include <stdlib.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "patcher/stack_memory.h"

#define MANGLED_BITS UINT64_C(0x1ffff)
#define BLOCK	     UINT64_C(64)
#define PAGE	     UINT64_C(4096)

/* uc_mcontext.fpregs lies here, and points there. */
#define SELF_AT	 offsetof(ucontext_t, uc_mcontext.fpregs)
#define SELF_GAP (offsetof(ucontext_t, __fpregs_mem) - SELF_AT)
/* The last word of a jmp_buf, rip; rsp is the one before. */
#define RIP_AT 56

static void add(struct sweep_worker *worker, uint64_t address, enum coroutine_kind kind)
{
	struct coroutine_context context;

	if (!coroutine_read(worker->sweep->search, address, kind, &context))
		return;
	if (worker->count == worker->room) {
		size_t room = worker->room ? 2 * worker->room : 64;
		struct coroutine_context *grown =
			reallocarray(worker->contexts, room, sizeof(*grown));

		if (!grown) {
			worker->no_memory = true;
			return;
		}
		worker->contexts = grown;
		worker->room = room;
	}
	worker->contexts[worker->count++] = context;
}

/*
 * Nearly no block has anything, so this is where the time of a search goes. Without branches, and
 * with the low halves of the words only, of which a vector holds more: what they let pass is looked
 * at again.
 */
__attribute__((target_clones("avx2", "default"))) static bool
has_any(const uint64_t *words, uint64_t address, uint64_t mark)
{
	uint32_t any = 0, self = (uint32_t)(address + SELF_GAP);

	for (uint32_t i = 0; i < BLOCK; i++)
		any |= (uint32_t)(((uint32_t)words[i] & MANGLED_BITS) == (uint32_t)mark) |
		       (uint32_t)((uint32_t)words[i] == self + 8 * i);
	return any;
}

/*
 * `after_rsp`: the word before the first could be a mangled rsp. Returns the same of the last.
 * Where nobody knows it is true: coroutine_read() looks at both words anyway.
 */
static bool look_at_words(struct sweep_worker *worker, const uint64_t *words, size_t count,
			  uint64_t address, bool after_rsp)
{
	uint64_t mark = worker->sweep->search->guard >> 47;

	for (size_t i = 0; i < count; i++, address += 8) {
		bool is_mangled = (words[i] & MANGLED_BITS) == mark;

		if (is_mangled && after_rsp)
			add(worker, address - RIP_AT, COROUTINE_JMP_BUF);
		if (words[i] == address + SELF_GAP)
			add(worker, address - SELF_AT, COROUTINE_UCONTEXT);
		after_rsp = is_mangled;
	}
	return after_rsp;
}

static void look_at_run(struct sweep_worker *worker, const uint64_t *words, uint64_t at,
			size_t bytes)
{
	uint64_t mark = worker->sweep->search->guard >> 47;
	bool after_rsp = true;

	/* Pages are whole blocks. */
	for (size_t i = 0; i < bytes / 8; i += BLOCK, at += 8 * BLOCK) {
		if (has_any(words + i, at, mark))
			after_rsp = look_at_words(worker, words + i, BLOCK, at, after_rsp);
		else
			after_rsp = false;
	}
	worker->bytes += bytes;
}

static bool read_batch(struct sweep_worker *worker, const struct sweep_run *runs,
		       const struct sweep_batch *batch)
{
	struct iovec remote[SWEEP_RUNS], local = {worker->words, batch->bytes};

	for (size_t i = 0; i < batch->count; i++)
		remote[i] = (struct iovec){(void *)runs[i].start, runs[i].end - runs[i].start};
	return process_vm_readv(worker->sweep->search->memory->pid, &local, 1, remote, batch->count,
				0) == (ssize_t)batch->bytes;
}

/* Something of the batch cannot be read: what, and what is in the rest? */
static void look_one_by_one(struct sweep_worker *worker, const struct sweep_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t want = runs[i].end - runs[i].start;
		size_t got = vg_memory_read_some(worker->sweep->search->memory, runs[i].start,
						 worker->words, want);

		if (got != want && !worker->unreadable)
			worker->unreadable = runs[i].start + got;
		look_at_run(worker, worker->words, runs[i].start, got / PAGE * PAGE);
	}
}

static void look_at_batch(struct sweep_worker *worker, const struct sweep_batch *batch)
{
	const struct sweep_run *runs = worker->sweep->runs + batch->first;
	const uint64_t *words = worker->words;

	if (!read_batch(worker, runs, batch)) {
		look_one_by_one(worker, runs, batch->count);
		return;
	}
	for (size_t i = 0; i < batch->count; i++) {
		look_at_run(worker, words, runs[i].start, runs[i].end - runs[i].start);
		words += (runs[i].end - runs[i].start) / 8;
	}
}

void *sweep_work(void *argument)
{
	struct sweep_worker *worker = argument;
	struct sweep *sweep = worker->sweep;
	size_t i;

	while ((i = __atomic_fetch_add(&sweep->next, 1, __ATOMIC_RELAXED)) < sweep->batch_count)
		look_at_batch(worker, &sweep->batches[i]);
	return NULL;
}
