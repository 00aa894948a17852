/* SPDX-License-Identifier: MIT */
/*
 * A signal frame (rt_sigframe) by which a thread restores itself: if the tool dies while the thread
 * runs an injected call, the call's `ret` leads to the restorer, and rt_sigreturn puts back what
 * the frame holds: registers, the whole extended state, the signal mask. The alternate signal stack
 * is left alone.
 *
 *   rsp of the thread ->  | its stack             |
 *                         | red zone, 128 bytes   |
 *                         | xsave area + MAGIC2   |  aligned to 64
 *   address ->            | restorer | ucontext | siginfo |   address = 8 (mod 16)
 *
 * An interrupted system call is put into the frame as the kernel would for a signal handler: it is
 * restarted, or returns EINTR where its kind cannot be restarted behind a handler.
 */
#ifndef PATCHER_SIGFRAME_H
#define PATCHER_SIGFRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#include <vgraft/error.h>

#define VG_RED_ZONE 128 /* System V ABI, 3.2.2 */

/* What a thread is put back to. */
struct vg_thread_state {
	struct user_regs_struct regs;
	uint64_t sigmask;
	const uint8_t *xstate; /* NT_X86_XSTATE of ptrace; or 512 bytes of FXSAVE */
	size_t xstate_bytes;
};

struct vg_sigframe {
	uint64_t address; /* rsp when the injected call's `ret` runs */
	uint8_t *bytes;	  /* what lies at [address, address + count) */
	size_t count;
};

VG_MUST_CHECK struct vg_error *vg_sigframe_build(const struct vg_thread_state *state,
						 uint64_t restorer, struct vg_sigframe *frame);
void vg_sigframe_clear(struct vg_sigframe *frame);

/* The registers that a signal handler would return to, see above. */
void vg_sigframe_restart(struct user_regs_struct *regs);

#endif
