/* SPDX-License-Identifier: MIT */
#include "patcher/coroutine_sweep.h"

#include <stdlib.h>
#include <ucontext.h>

#include "patcher/stack_memory.h"

#define MANGLED_BITS UINT64_C(0x1ffff)
#define BLOCK	     UINT64_C(64)

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

/* Without branches, so that the compiler makes vector code of it: nearly no block has anything. */
static bool has_any(const uint64_t *words, uint64_t address, uint64_t mark)
{
	uint64_t any = 0;

	for (uint64_t i = 0; i < BLOCK; i++)
		any |= (uint64_t)((words[i] & MANGLED_BITS) == mark) |
		       (uint64_t)(words[i] == address + SELF_GAP + 8 * i);
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

static void look_at_piece(struct sweep_worker *worker, const struct sweep_piece *piece)
{
	uint64_t mark = worker->sweep->search->guard >> 47, at = piece->start;
	size_t want = piece->end - piece->start;
	size_t got = stack_read_some(worker->sweep->search->tid, at, worker->words, want);
	bool after_rsp = true;

	worker->bytes += got;
	if (got != want && !worker->unreadable)
		worker->unreadable = at + got;
	/* Pages are whole blocks. */
	for (size_t i = 0; i < got / 8; i += BLOCK, at += 8 * BLOCK) {
		if (has_any(worker->words + i, at, mark))
			after_rsp = look_at_words(worker, worker->words + i, BLOCK, at, after_rsp);
		else
			after_rsp = false;
	}
}

void *sweep_work(void *argument)
{
	struct sweep_worker *worker = argument;
	struct sweep *sweep = worker->sweep;
	size_t i;

	while ((i = __atomic_fetch_add(&sweep->next, 1, __ATOMIC_RELAXED)) < sweep->count)
		look_at_piece(worker, &sweep->pieces[i]);
	return NULL;
}
