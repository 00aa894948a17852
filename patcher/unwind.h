/* SPDX-License-Identifier: MIT */
/*
 * One frame to the next, by call frame information alone: no frame pointers are guessed at, no
 * return addresses looked for. What the information does not say is not known.
 */
#ifndef PATCHER_UNWIND_H
#define PATCHER_UNWIND_H

#include <sys/user.h>

#include "patcher/cfi.h"
#include "patcher/unwind_modules.h"

struct unwind_frame {
	struct cfi_machine machine; /* registers, and the memory that the stack is read from */
	/*
	 * The instruction pointer is that of the next instruction to run (innermost frame, or
	 * interrupted by a signal). Otherwise it is a return address, which may lie behind the
	 * function that made the call: look up the byte before it.
	 */
	bool exact;
	bool is_split;	   /* the caller of a frame may be on another piece of stack */
	bool interrupted;  /* this frame was reached through a signal frame */
	bool is_coroutine; /* outermost, and made by makecontext() */
	bool finished;	   /* its function has returned */
};

enum unwind_result {
	UNWIND_CALLER,	  /* the frame is now that of the caller */
	UNWIND_OUTERMOST, /* it has no caller, its information says so; the frame is unchanged */
	UNWIND_MISSING,	  /* no information for the code it is in */
	UNWIND_BROKEN,	  /* the information, or the stack, makes no sense */
};

struct unwinder {
	struct unwind_modules *modules;
	struct cfi_entry entry; /* workspace */
	struct cfi_row row;
};

struct unwind_frame unwind_frame_of(const struct user_regs_struct *regs, cfi_read_fn *read,
				    void *context);
/* `top` is the canonical frame address of the frame that was left or found to be outermost. */
enum unwind_result unwind_step(struct unwinder *unwinder, struct unwind_frame *frame,
			       uint64_t *top);

static inline uint64_t unwind_ip(const struct unwind_frame *frame)
{
	return frame->machine.registers[CFI_RIP];
}

#endif
