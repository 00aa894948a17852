/* SPDX-License-Identifier: MIT */
/*
 * Hooks: functions of the patch that one stopped thread of the target runs, while all others stand
 * (<vgraft/hooks.h> says what they may do).
 *
 *  1. Choose a thread that stands, without a signal, and is fit (hold_thread.h), whose filters let
 *     rt_sigreturn pass.
 *  2. Write a signal frame that restores it below the red zone (sigframe.h); keep what was there.
 *  3. Registers = { rip: the hook, rsp: the frame }: the hook's `ret` leads to the restorer. Only
 *     then block all signals but those of faults, which could not be caught blocked.
 *  4. Run to the entry of rt_sigreturn: rdx is the verdict. Before: a fault or the deadline, then
 *     the thread is sent to the restorer from where it is.
 *  5. INTERRUPT and go on, so that the thread stands in the kernel's signal code again, then put
 *     back extended state, mask, registers (with the restart of an interrupted call) and stack.
 *     rt_sigreturn itself is skipped, because it forgets restart blocks; but where seccomp filters
 *     do not let a skipped call pass it is made: a sleep that was interrupted then gives EINTR.
 *
 * If the tool dies at any point between 3 and 5, the thread finishes the hook and rt_sigreturn puts
 * back everything.
 *
 * Thread context: tracer thread, in the commit of a stop.
 */
#ifndef PATCHER_HOOK_H
#define PATCHER_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <vgraft/error.h>
#include <vgraft/patch.h>

#include "common/patch_object.h"
#include "patcher/gadget.h"
#include "patcher/session.h"
#include "patcher/stop.h"

struct vg_hooks {
	struct vg_session *session;
	const struct vg_patch *patch;
	uint64_t *segments; /* their addresses in the target */
	struct vg_gadgets gadgets;
	struct vg_stop_hooks stop; /* for the stop request */
};

/* Target running. `segments` are the addresses of the patch's segments and stay the caller's. */
VG_MUST_CHECK struct vg_error *vg_hooks_prepare(struct vg_session *session,
						const struct vg_patch *patch, uint64_t *segments,
						struct vg_hooks *hooks);
bool vg_hooks_has(const struct vg_patch *patch, enum vgp_hook_when when);
/* Is there a thread that could run one? VG_BUSY if not. Changes nothing. */
VG_MUST_CHECK struct vg_error *vg_hooks_can_run(struct vg_hooks *hooks);
/* Runs all hooks of that kind. A veto, a fault and the deadline are VG_REFUSED. */
VG_MUST_CHECK struct vg_error *vg_hooks_run_pre(struct vg_hooks *hooks, enum vgp_hook_when when);
/* What goes wrong is noted in the result. */
void vg_hooks_run_post(struct vg_hooks *hooks, enum vgp_hook_when when);

#endif
