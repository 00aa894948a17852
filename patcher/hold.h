/* SPDX-License-Identifier: MIT */
/*
 * Injected system calls: one thread of the target is held and makes calls for the tool, while all
 * other threads run.
 *
 *  1. Choose a thread that is fit (hold_thread.c), SEIZE and INTERRUPT it, wait until it stands.
 *  2. Read registers, extended state, signal mask. Write a signal frame that restores them below
 * the red zone of its stack; keep the bytes that were there.
 *  3. Read the thread's seccomp filters; a call that they would not let pass is never made.
 *  4. For each call: registers = { rip: `syscall; ret`, rsp: the frame, arguments, orig_rax: -1 };
 *     only then block all signals. Run to the entry and to the exit of the call.
 *  5. INTERRUPT and go on: the thread stands in the kernel's signal code again, where the restart
 *     of an interrupted call is decided. Signal mask back first, then the registers, orig_rax
 *     included (so that restart blocks of nanosleep and poll survive), then the stack bytes.
 * DETACH.
 *
 * If the tool dies at any point:
 *     before 4, and after the registers are back   the thread goes on as it was;
 *     from the registers of 4 on                   it makes the call, `ret` pops the restorer, and
 *                                                  rt_sigreturn puts back everything.
 * The mask is blocked only while the registers point at the frame, and unblocked before they no
 * longer do: whatever the tool leaves behind, the frame has the right mask.
 *
 * Thread context: `work` runs in a tracer thread; the held thread is stopped, the others run.
 */
#ifndef PATCHER_HOLD_H
#define PATCHER_HOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

#include "common/process_maps.h"
#include "patcher/gadget.h"
#include "patcher/seccomp.h"
#include "patcher/sigframe.h"
#include "patcher/target.h"

struct vg_hold {
	const struct vg_live_target *target;
	pid_t tid;
	struct vg_gadgets gadgets;
	struct vg_seccomp seccomp;
	bool suspend_seccomp;
	struct vg_thread_state state; /* what the thread is put back to */
	struct vg_sigframe frame;
	uint8_t *under_frame; /* the bytes of the stack that the frame covers */
	bool on_frame;	      /* its registers point at the frame */
	bool gone;	      /* it ended meanwhile */
};

struct vg_hold_options {
	bool suspend_seccomp;
	uint64_t deadline; /* vg_clock_now(): for finding a thread */
};

/*
 * Holds a thread, runs `work`, lets go. *nanoseconds is added to (time the thread was held). No
 * thread that is fit until the deadline: VG_BUSY. The thread ends in the middle of a call: VG_BUSY,
 * and whether the call was made is unknown.
 */
VG_MUST_CHECK struct vg_error *
vg_hold_run(const struct vg_live_target *target, const struct vg_hold_options *options,
	    struct vg_error *(*work)(struct vg_hold *hold, void *context), void *context,
	    uint64_t *nanoseconds);

struct vg_call {
	long number;
	uint64_t arguments[6];
};

/* Would the seccomp filters let it pass, and the sigreturn behind it? */
VG_MUST_CHECK struct vg_error *vg_hold_check_call(const struct vg_hold *hold,
						  const struct vg_call *call);
/* Makes the call; *result is what it returns (negative: -errno). */
VG_MUST_CHECK struct vg_error *vg_hold_call(struct vg_hold *hold, const struct vg_call *call,
					    int64_t *result);

/* The name of a system call that is injected, for error sentences. */
const char *vg_call_name(long number);

#endif
