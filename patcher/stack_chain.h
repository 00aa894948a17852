/* SPDX-License-Identifier: MIT */
/* The whole chain of frames of a thread or coroutine, and what it means for the ranges. */
#ifndef PATCHER_STACK_CHAIN_H
#define PATCHER_STACK_CHAIN_H

#include "patcher/stack_scan.h"
#include "patcher/unwind.h"

#define CHAIN_FRAMES_MAX 4096 /* more is a loop, or not worth the pause */
#define CHAIN_KEPT_MAX	 64   /* for backtraces */

struct stack_chain {
	enum unwind_result end; /* UNWIND_OUTERMOST: the chain is complete */
	size_t count;
	uint64_t kept[CHAIN_KEPT_MAX]; /* instruction pointers, innermost first */
	bool kept_exact[CHAIN_KEPT_MAX];
	uint64_t kept_top[CHAIN_KEPT_MAX]; /* canonical frame addresses */
	size_t kept_count;
	const struct vg_code_range *hit; /* the innermost frame that is in a range */
	uint64_t top;			 /* canonical frame address of the last frame */
	uint64_t last_ip;		 /* where it ended */
	bool crossed_signal;		 /* it went through a signal frame */
	bool is_coroutine;		 /* it ends where makecontext() began it */
	bool finished;			 /* … and its function has returned */
};

/*
 * Unwinds `frame` to the end. A register of an interrupted frame that points into a range counts
 * as a hit: it may be about to be jumped to (longjmp between loading the address and the jump).
 */
void stack_chain_walk(struct unwinder *unwinder, struct unwind_frame *frame,
		      const struct stack_ranges *ranges, struct stack_chain *chain);
/* Why the chain clears nothing, as the end of a sentence. */
const char *stack_chain_problem(const struct stack_chain *chain);

/* A general register, other than rip and rsp, that could be an address about to be jumped to. */
const struct vg_code_range *stack_register_hit(const struct stack_ranges *ranges,
					       const struct cfi_machine *machine);

#endif
