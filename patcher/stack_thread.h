/* SPDX-License-Identifier: MIT */
/* What the pieces of the stack check share; the contract is stack_check.h. */
#ifndef PATCHER_STACK_THREAD_H
#define PATCHER_STACK_THREAD_H

#include "patcher/coroutine.h"
#include "patcher/stack_chain.h"
#include "patcher/stack_check.h"

/* The instruction pointers behind a verdict, kept until they can be named without hurry. */
struct stack_trace {
	pid_t tid;
	uint64_t coroutine;
	struct stack_ip {
		uint64_t ip;
		bool exact;
	} * ips;
	size_t count;
};

/* The functions of one file, for names in backtraces. */
struct stack_symbols;

/* A thread's own stack: what pthread_create or exec gave it. */
struct stack_own {
	bool is_known;
	/*
	 * What lies between start and rsp is dead: the mapping holds this stack and nothing else,
	 * as that of the main thread or one with a guard page below it.
	 */
	bool is_alone;
	uint64_t start, end;
};

/* A thread that was checked in this stop: what lies on its stack is its own affair. */
struct stack_seen {
	pid_t tid;
	struct user_regs_struct regs;
	struct stack_own own;
	struct stack_chain *chain; /* made when somebody asks */
};

struct vg_stacks {
	pid_t pid;
	const struct vg_memory *memory;
	struct unwind_modules modules;
	bool maps_are_fresh;	  /* read since the last prepare, inside a stop */
	struct vg_beside *beside; /* is looking at them; NULL: nobody is */
	bool maps_are_unchanged;  /* what it found */
	bool saw_hit;		  /* since the last prepare */
	int pagemap;		  /* of the target, opened when it is needed; -1 = not yet */
	struct unwinder unwinder;
	struct stack_window window;
	struct stack_trace *traces;
	size_t trace_count;
	struct stack_symbols *symbols; /* of the files that were asked for */
	struct stack_seen *seen;
	size_t seen_count;
	bool knows_split, has_split;		/* is the stack of any of them split? */
	struct coroutine_search before, inside; /* the stop */
	unsigned use_generation;		/* of the modules that can_coroutine speaks of */
	bool can_coroutine;
	bool has_guard;
	bool is_tracked;   /* the kernel tells which pages are written (written.h) */
	bool is_protected; /* since the search before the stop */
	bool has_listed;   /* `inside`, since the last prepare, all pages that were written */
	const struct vg_code_range *settled_for; /* the ranges of vg_stacks_settle() */
	unsigned settled_generation;		 /* of the modules then */
};

void stack_seen_forget(struct vg_stacks *stacks);
/* Best effort: a thread that is not remembered makes verdicts on coroutines more careful. */
void stack_seen_add(struct vg_stacks *stacks, pid_t tid, const struct user_regs_struct *regs,
		    const struct stack_own *own);
const struct stack_chain *stack_seen_chain(struct vg_stacks *stacks, struct stack_seen *seen);
bool stack_seen_is_on_own(const struct stack_seen *seen);

/* Looks for contexts with the target running, and reads the unwind information they need. */
VG_MUST_CHECK struct vg_error *stack_coroutines_prepare(struct vg_stacks *stacks);

/* In the stop: the maps as they are now. */
VG_MUST_CHECK struct vg_error *stack_maps_freshen(struct vg_stacks *stacks);

struct stack_own stack_own_of(const struct vg_stacks *stacks, pid_t tid, uint64_t fs_base);
/*
 * May it have frames on pieces of stack that are neither its own stack nor in the mapping that its
 * stack pointer is in? Also if nobody can tell.
 */
bool stack_is_split(const struct vg_memory *memory, uint64_t fs_base);
/* As stack_scan_region(), without touching pages that have no content. */
bool stack_scan_resident(struct vg_stacks *stacks, const struct stack_ranges *ranges,
			 uint64_t start, uint64_t end, struct stack_hits *hits);
/* The next one that asks opens the target's pagemap again. */
void stack_pagemap_forget(struct vg_stacks *stacks);

/* Fills a blocker; `tid` is 0 for a coroutine; `chain` and `function` may be NULL. */
void stack_report_blocker(struct vg_stacks *stacks, pid_t tid, uint64_t coroutine,
			  const struct stack_chain *chain, const char *function,
			  struct vg_blocker *blocker);
void stack_report_frames(const struct vg_stacks *stacks, const struct stack_chain *chain,
			 char ***frames, size_t *count);
void stack_report_forget(struct vg_stacks *stacks);

/* "function+0x12 (module)"; NULL: no symbol covers it. */
char *stack_symbols_name(struct vg_stacks *stacks, const struct stack_ip *ip);
void stack_symbols_free(struct stack_symbols *symbols);

#endif
