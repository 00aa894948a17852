/* SPDX-License-Identifier: MIT */
/* What the pieces of the stack check share; the contract is stack_check.h. */
#ifndef PATCHER_STACK_THREAD_H
#define PATCHER_STACK_THREAD_H

#include "patcher/stack_chain.h"
#include "patcher/stack_check.h"

/* The instruction pointers behind a verdict, kept until they can be named without hurry. */
struct stack_trace {
	pid_t tid;
	uint64_t coroutine;
	uint64_t *ips;
	size_t count;
};

struct vg_stacks {
	pid_t pid;
	struct unwind_modules modules;
	bool maps_are_fresh; /* read since the last prepare, inside a stop */
	bool saw_hit;	     /* since the last prepare */
	struct unwinder unwinder;
	struct stack_window window;
	struct stack_trace *traces;
	size_t trace_count;
};

/* A thread's own stack: what pthread_create or exec gave it. */
struct stack_own {
	bool is_known;
	uint64_t start, end;
};
struct stack_own stack_own_of(const struct vg_stacks *stacks, pid_t tid, uint64_t fs_base);
/* As stack_scan_region(), without touching pages that have no content. */
bool stack_scan_resident(const struct stack_ranges *ranges, pid_t tid, uint64_t start, uint64_t end,
			 struct stack_hits *hits);

/* Fills a blocker; `tid` is 0 for a coroutine; `chain` and `function` may be NULL. */
void stack_report_blocker(struct vg_stacks *stacks, pid_t tid, uint64_t coroutine,
			  const struct stack_chain *chain, const char *function,
			  struct vg_blocker *blocker);
void stack_report_frames(const struct vg_stacks *stacks, const struct stack_chain *chain,
			 char ***frames, size_t *count);
void stack_report_forget(struct vg_stacks *stacks);

#endif
