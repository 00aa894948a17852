/* SPDX-License-Identifier: MIT */
/* Is a thread fit to make injected calls? Asked of a thread that is stopped and traced. */
#ifndef PATCHER_HOLD_THREAD_H
#define PATCHER_HOLD_THREAD_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/user.h>

#include "common/process_maps.h"
#include "patcher/memory.h"

/* Free stack that an injected call needs below the stack pointer: the frame, and room for signals.
 */
#define VG_HOLD_STACK_ROOM (32u << 10)

/* NULL: it is fit. Otherwise why not, as the end of a sentence about the thread. */
const char *vg_hold_why_unfit(pid_t tid, const struct user_regs_struct *regs,
			      const struct vg_memory *memory, const struct vg_maps *maps);

#endif
