/* SPDX-License-Identifier: MIT */
/*
 * What stopping and injecting share: a tracer that can always let go, and waiting that loses no
 * signal.
 *
 * Letting go. PTRACE_DETACH works on stopped threads only, and some threads do not stop (an
 * uninterruptible sleep, a vfork parent). But the kernel detaches all tracees of a thread that
 * exits, stopped or not. So all tracing is done in a thread made for it: when its work returns, the
 * thread ends, and nothing is attached any more. The same happens when the whole tool is killed;
 * PTRACE_O_EXITKILL is never set.
 *
 * Waiting. A stop is looked at with waitid(WNOWAIT), which leaves its code in place: the code is
 * the signal of a signal-delivery-stop, and if the tool dies before it hands the signal on, the
 * kernel still does.
 *
 * Ends. A thread that has called exec waits, with a lock that PTRACE_SEIZE needs, until all others
 * of its process have been released, and one that is traced is released by its tracer. So that the
 * two never wait for each other, whoever waits for the tracer thread releases the dead.
 */
#ifndef PATCHER_TRACER_H
#define PATCHER_TRACER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include <vgraft/error.h>

#include "patcher/target.h"

/* Runs `work` in a tracer thread and waits until that has let go of everything. */
VG_MUST_CHECK struct vg_error *vg_tracer_run(const struct vg_live_target *target,
					     struct vg_error *(*work)(void *context),
					     void *context);

enum vg_trace_state {
	VG_TRACE_RUNNING,
	VG_TRACE_STOPPED, /* in a ptrace-stop; see signal and event */
	VG_TRACE_GONE,	  /* it has ended, or is no tracee */
};

struct vg_trace_event {
	enum vg_trace_state state;
	int signal; /* of the stop: SIGTRAP | 0x80 is a system call stop (TRACESYSGOOD) */
	int event;  /* PTRACE_EVENT_*, or 0 */
};

/* Looks without waiting. */
struct vg_trace_event vg_trace_look(pid_t tid);
/* Waits until the thread stops or ends, or `deadline` (vg_clock_now()) passes: RUNNING. */
struct vg_trace_event vg_trace_wait(pid_t tid, uint64_t deadline);
/*
 * Lets the kernel forget a thread that has ended, and which it keeps for its tracer. Not for the
 * first thread of a process, whose end is its parent's business.
 */
void vg_trace_reap(pid_t tid);
/* Waits for any change of state of a tracee, or `deadline`; may return early. */
void vg_trace_wait_any(uint64_t deadline);

/* The stop that PTRACE_INTERRUPT asked for: the thread is on its way out of the kernel. */
static inline bool vg_trace_is_interrupt_stop(const struct vg_trace_event *event)
{
	return event->state == VG_TRACE_STOPPED && event->event == 128; /* PTRACE_EVENT_STOP */
}

/* A signal is about to be delivered; it must be handed on when the thread resumes. */
static inline bool vg_trace_is_signal_stop(const struct vg_trace_event *event)
{
	return event->state == VG_TRACE_STOPPED && !event->event && !(event->signal & 0x80);
}

#endif
