/* SPDX-License-Identifier: MIT */
/* Is a thread fit to make injected calls? Asked of a thread that is stopped and traced. */
#ifndef PATCHER_HOLD_THREAD_H
#define PATCHER_HOLD_THREAD_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/user.h>

#include "common/process_maps.h"
#include "patcher/memory.h"

/*
 * Free stack that is needed below the stack pointer. An injected call needs room for its frame,
 * and, if the tool dies at the worst moment, for a signal on top of it; on an alternate signal
 * stack, which is small, no more than that.
 */
#define VG_HOLD_STACK_ROOM     (32u << 10)
#define VG_HOLD_ALTERNATE_ROOM (12u << 10)

struct vg_hold_needs {
	const struct vg_memory *memory;
	const struct vg_maps *maps;
	uint64_t restorer;     /* vg_gadgets.sigreturn */
	size_t alternate_room; /* on an alternate signal stack */
};

/* NULL: it is fit. Otherwise why not, as the end of a sentence about the thread. */
const char *vg_hold_why_unfit(pid_t tid, const struct user_regs_struct *regs,
			      const struct vg_hold_needs *needs);

#endif
