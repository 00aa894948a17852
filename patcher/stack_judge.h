/* SPDX-License-Identifier: MIT */
/* One saved context: can it be resumed, and would that be safe? The rules are told in the .c file.
 */
#ifndef PATCHER_STACK_JUDGE_H
#define PATCHER_STACK_JUDGE_H

#include "patcher/stack_thread.h"

enum stack_state { STACK_STALE, STACK_LIVE_SAFE, STACK_LIVE_UNSAFE };

struct stack_look {
	struct vg_stacks *stacks;
	struct stack_ranges ranges;
	const struct coroutine_context *context;
	uint64_t rsp, scan_end;
	struct stack_hits hits;
	struct stack_chain chain;
	const char *problem; /* NULL: a frame is in a range */
	/* The verdict rests on these bytes, on the context, and on the code that is mapped. */
	uint64_t read_start, read_end;
};

struct stack_look stack_look_at(struct vg_stacks *stacks, const struct coroutine_search *search,
				const struct stack_ranges *ranges, size_t number);

/* Of what vg_stacks_check_thread() saw in this stop, threads count too; before a stop there are
 * none. */
VG_MUST_CHECK struct vg_error *stack_judge(struct stack_look *look, enum stack_state *state);

#endif
