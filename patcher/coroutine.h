/* SPDX-License-Identifier: MIT */
/*
 * Saved contexts in the memory of a target: what a suspended coroutine resumes from.
 *
 * Two kinds, both glibc's on x86-64:
 *
 *   ucontext_t  getcontext, swapcontext and makecontext store plain registers, and make
 *               uc_mcontext.fpregs point into the structure itself. That self-pointer is what the
 *               search looks for: no other word of a process has its own address + 200 in it,
 *               but by chance.
 *   jmp_buf     setjmp stores rbp, rsp and rip mangled: xor the pointer guard, rotate left by 17. A
 *               mangled address below 2^47 has the guard's upper 17 bits as its lowest 17: one
 *               comparison for each word, and two words in a row that pass are taken apart.
 *
 * Searched is writable private memory that has content; mappings over 64 MiB are left out and
 * listed, but for the heap. A context that was copied with memcpy is not a ucontext_t that glibc
 * made, and not found.
 *
 * Completeness: the search that a verdict rests on is made inside the stop, over all such memory:
 * no word can change between it and the verdict. The search before the stop only says what to look
 * at first, so that a coroutine that blocks is found without the long way. Where the kernel tells
 * which pages were written since then (written.h), only these are searched inside the stop: what
 * the others hold was found before. They are searched in rounds until few are left, each round
 * those that were written during the one before.
 *
 * Thread context: any; a running target may change what is read.
 */
#ifndef PATCHER_COROUTINE_H
#define PATCHER_COROUTINE_H

#include "patcher/unwind.h"
#include "patcher/written.h"

#define COROUTINE_MAP_MAX (UINT64_C(64) << 20)

enum coroutine_kind { COROUTINE_UCONTEXT, COROUTINE_JMP_BUF };

/* What is known of a context before the stop (stack_coroutines.c). */
enum coroutine_settled { COROUTINE_NOT_SETTLED, COROUTINE_STALE, COROUTINE_SAFE };

struct coroutine_context {
	uint64_t address; /* of the ucontext_t or jmp_buf */
	enum coroutine_kind kind;
	uint64_t registers[CFI_REGISTERS];
	uint32_t known;
	enum coroutine_settled settled; /* then also: */
	uint64_t read_start, read_end;	/* the bytes of its stack that this rests on */
	uint64_t top;			/* where its chain of frames ends */
	bool is_coroutine;		/* by its chain */
};

struct sweep;

struct coroutine_search {
	const struct vg_memory *memory;
	const struct vg_maps *maps;
	uint64_t guard;
	bool only_written;    /* since its pages were protected (written.h) */
	bool protects_again;  /* those that it searches; target running */
	vg_written_fn *taken; /* gets all of these, or NULL */
	void *taken_context;
	struct coroutine_context *contexts; /* ascending addresses */
	size_t count;
	uint64_t bytes;	     /* that were read */
	uint64_t left_out;   /* bytes in mappings that are too large */
	uint64_t unreadable; /* address of the first page that could not be read, 0 = none */
	bool lost_track;     /* pages were protected again and are not searched */
	struct sweep *sweep; /* memory to work with, made by the first search; to be freed */
};

/*
 * Can the target make a coroutine at all? It can if code that it maps imports what begins one on a
 * stack of its own: makecontext, setcontext or swapcontext; or sigaltstack and a setjmp. A program
 * without dynamic linking imports nothing and can do anything.
 */
bool coroutine_is_possible(struct unwind_modules *modules);

/* The pointer guard, from the random bytes that the kernel gave the process (AT_RANDOM). */
bool coroutine_guard(const struct vg_memory *memory, uint64_t *guard);

/* Fills contexts and counts from memory, maps and guard. Searches of one target may share a sweep.
 */
VG_MUST_CHECK struct vg_error *coroutine_search(struct coroutine_search *search);
/* The same in two steps: which pages are to be searched, and the search. */
VG_MUST_CHECK struct vg_error *coroutine_search_list(struct coroutine_search *search);
VG_MUST_CHECK struct vg_error *coroutine_search_listed(struct coroutine_search *search);
/* Between the two: is any page that holds a byte of [start, end) on the list? */
bool coroutine_search_has(const struct coroutine_search *search, uint64_t start, uint64_t end);
/* Gives all that are on it, in the order of addresses. */
void coroutine_search_runs(const struct coroutine_search *search, vg_written_fn *take,
			   void *context);
/* Is this memory searched at all? */
bool coroutine_is_searched(const struct vg_map *map);
/* Did it find this context, the registers aside? */
bool coroutine_search_knows(const struct coroutine_search *search,
			    const struct coroutine_context *context);
/* Adds what another search of the same target found and this one did not. */
VG_MUST_CHECK struct vg_error *coroutine_search_merge(struct coroutine_search *search,
						      const struct coroutine_search *other);
void coroutine_search_clear(struct coroutine_search *search);
void coroutine_sweep_free(struct sweep *sweep);

/* How many bytes of the target's memory a context takes. */
size_t coroutine_bytes(enum coroutine_kind kind);

/* Reads one context again; false: there is none any more. */
bool coroutine_read(const struct coroutine_search *search, uint64_t address,
		    enum coroutine_kind kind, struct coroutine_context *context);

#endif
