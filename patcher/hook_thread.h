/* SPDX-License-Identifier: MIT */
/* One thread that runs hooks: steps 1 to 5 of hook.h. */
#ifndef PATCHER_HOOK_THREAD_H
#define PATCHER_HOOK_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

#include "patcher/hook.h"
#include "patcher/sigframe.h"

#define VG_HOOK_MAX_XSTATE (64u << 10)

struct vg_hook_thread {
	const struct vg_hooks *hooks;
	pid_t tid;
	struct vg_thread_state state; /* what it is put back to */
	int xstate_type;	      /* NT_X86_XSTATE or NT_PRFPREG */
	uint8_t xstate[VG_HOOK_MAX_XSTATE] __attribute__((aligned(64)));
	struct vg_sigframe frame;
	uint8_t *under_frame;
	bool can_skip; /* a skipped rt_sigreturn passes the filters */
	uint64_t held; /* other signals that came meanwhile, as bits */
};

enum vg_hook_end { VG_HOOK_RETURNED, VG_HOOK_FAULT, VG_HOOK_TIMEOUT, VG_HOOK_LOST };

struct vg_hook_result {
	enum vg_hook_end end;
	int64_t verdict;  /* RETURNED */
	int signal;	  /* FAULT */
	uint64_t address; /* FAULT: of the instruction */
};

/* Step 1, and its state is read. VG_BUSY: there is none. */
VG_MUST_CHECK struct vg_error *vg_hook_thread_choose(struct vg_hook_thread *thread);
/* Steps 2 to 5. An error: nothing was run. */
VG_MUST_CHECK struct vg_error *vg_hook_thread_run(struct vg_hook_thread *thread, uint64_t address,
						  struct vg_hook_result *result);
void vg_hook_thread_clear(struct vg_hook_thread *thread);

#endif
