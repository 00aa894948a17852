/* SPDX-License-Identifier: MIT */
/* Steps 1, 2 and 5 of hold.h. */
#include "patcher/hold.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vgraft/rules.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/freezer.h"
#include "patcher/hold_thread.h"
#include "patcher/task.h"
#include "patcher/tracer.h"

#define SUSPEND_SECCOMP	 (1 << 21) /* PTRACE_O_SUSPEND_SECCOMP */
#define SEIZE_ATTEMPTS	 25
#define STOP_WAIT	 (100 * VG_MILLISECOND)
#define MAX_XSTATE_BYTES (64u << 10)
#define MAX_SIGNALS	 64 /* that a thread may take before it stands still */

struct run {
	struct vg_hold hold;
	const struct vg_hold_options *options;
	struct vg_error *(*work)(struct vg_hold *hold, void *context);
	void *context;
	uint64_t *nanoseconds;
	struct vg_maps maps;
	uint8_t *xstate;
	const char *unfit; /* why the last candidate was not taken */
	pid_t unfit_tid;
};

/*
 * Waits until the thread stands in an interrupt stop. A signal that comes first is delivered (the
 * thread then stands at its handler). False: it did not stop in time, ended, or the whole process
 * is being stopped by a signal.
 */
static bool wait_for_interrupt_stop(pid_t tid, struct vg_trace_event *event)
{
	uint64_t deadline = vg_clock_now() + STOP_WAIT;

	for (unsigned i = 0; i < MAX_SIGNALS; i++) {
		*event = vg_trace_wait(tid, deadline);
		if (vg_trace_is_interrupt_stop(event))
			return event->signal == SIGTRAP;
		if (!vg_trace_is_signal_stop(event))
			return false;
		/* Every stop uses up an interrupt: ask for another before the thread goes on. */
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		ptrace(PTRACE_CONT, tid, NULL, (void *)(uintptr_t)event->signal);
	}
	return false;
}

/*
 * Lets a thread go that was not used; a signal that it is about to get is handed on. A process
 * whose last thread waits for its tracer to notice its end would look alive for ever.
 */
static void release(const struct run *run, pid_t tid, const struct vg_trace_event *event)
{
	int signal = vg_trace_is_signal_stop(event) ? event->signal : 0;

	if (event->state == VG_TRACE_STOPPED)
		ptrace(PTRACE_DETACH, tid, NULL, (void *)(uintptr_t)signal);
	if (event->state == VG_TRACE_GONE && tid != run->hold.target->pid)
		vg_trace_reap(tid);
	/* A thread that still runs is let go when the tracer thread ends, or asked again. */
}

static bool read_state(struct run *run, pid_t tid)
{
	struct vg_thread_state *state = &run->hold.state;
	struct iovec xstate = {.iov_base = run->xstate, .iov_len = MAX_XSTATE_BYTES};
	struct iovec regs = {.iov_base = &state->regs, .iov_len = sizeof(state->regs)};

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &regs) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(state->sigmask), &state->sigmask) < 0)
		return false;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &xstate) < 0 &&
	    ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRFPREG, &xstate) < 0)
		return false;
	state->xstate = run->xstate;
	state->xstate_bytes = xstate.iov_len;
	return true;
}

/* A thread that the kernel made, that has ended, or that can't stop now is not even asked. */
static bool is_candidate(const struct run *run, pid_t tid)
{
	struct vg_task task;

	return vg_task_read(run->hold.target->proc, tid, &task) && !vg_task_is_kernel_made(&task) &&
	       !vg_task_is_dead(&task) && !vg_task_is_uninterruptible(&task);
}

/* A shadow stack would not let `ret` go to the restorer. */
static bool has_shadow_stack(const struct run *run, pid_t tid)
{
	struct vg_task_status status;

	return vg_task_read_status(run->hold.target->proc, tid, &status) && status.shadow_stack;
}

/*
 * A thread that did not stop in an earlier round is still traced by us: only a stopped one can be
 * let go.
 */
static bool is_ours(const struct run *run, pid_t tid)
{
	struct vg_task_status status;

	return vg_task_read_status(run->hold.target->proc, tid, &status) &&
	       status.tracer == (pid_t)syscall(SYS_gettid);
}

/*
 * A tool that was killed a moment ago may not have let go yet. Nobody is held, so EPERM is asked
 * again before it is believed.
 */
static bool seize_patiently(const struct run *run, pid_t tid, uintptr_t options)
{
	for (int i = 0; i < SEIZE_ATTEMPTS; i++) {
		if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) == 0)
			return true;
		if (errno != EPERM)
			return false;
		if (is_ours(run, tid))
			return true;
		vg_clock_sleep(2 * VG_MILLISECOND);
	}
	errno = EPERM;
	return false;
}

static struct vg_error *seize(const struct run *run, pid_t tid, bool *seized)
{
	uintptr_t options =
		PTRACE_O_TRACESYSGOOD | (run->options->suspend_seccomp ? SUSPEND_SECCOMP : 0);

	*seized = seize_patiently(run, tid, options);
	if (*seized || errno == ESRCH || !is_candidate(run, tid))
		return NULL;
	if (run->options->suspend_seccomp)
		return vg_error_errno(VG_REFUSED, errno,
				      "may not trace thread %d with its seccomp filters suspended",
				      tid);
	return vg_error_errno(VG_REFUSED, errno,
			      "may not trace thread %d; detach its debugger, or run vgraft as root",
			      tid);
}

/* What a thread that stood lacked tells more than that one did not stop. */
static void note_unfit(struct run *run, pid_t tid, const char *why, bool stands)
{
	if (!why || (run->unfit && !stands))
		return;
	run->unfit = why;
	run->unfit_tid = tid;
}

/* Steps 1 and 2 for one thread. *held: it stands and is fit. */
static struct vg_error *try_thread(struct run *run, pid_t tid, bool *held)
{
	const struct vg_hold_needs needs = {.memory = &run->hold.target->memory,
					    .maps = &run->maps,
					    .restorer = run->hold.gadgets.sigreturn,
					    .alternate_room = VG_HOLD_ALTERNATE_ROOM};
	struct vg_trace_event event;
	bool seized;

	*held = false;
	if (!is_candidate(run, tid)) {
		/* It may have ended after an earlier round had seized it. */
		if (tid != run->hold.target->pid)
			vg_trace_reap(tid);
		return NULL;
	}
	VG_TRY(seize(run, tid, &seized));
	if (!seized)
		return NULL;
	/* A second interrupt would stop it again in the middle of what it is to do. */
	event = vg_trace_look(tid);
	if (event.state == VG_TRACE_RUNNING)
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);

	bool stands = wait_for_interrupt_stop(tid, &event);
	const char *why;

	if (!stands || !read_state(run, tid))
		why = "does not stop";
	else if (has_shadow_stack(run, tid))
		why = "has a shadow stack";
	else
		why = vg_hold_why_unfit(tid, &run->hold.state.regs, &needs);
	*held = !why;
	if (!*held)
		release(run, tid, &event);
	note_unfit(run, tid, why, stands);
	run->hold.tid = tid;
	return NULL;
}

static struct vg_error *choose_thread(struct run *run)
{
	_cleanup_(vg_tids_clear) struct vg_tids tids = {0};
	bool held = false, is_frozen;

	do {
		VG_TRY(vg_tids_read(run->hold.target->proc, &tids));
		vg_maps_clear(&run->maps);
		VG_TRY(vg_maps_read(run->hold.target->pid, &run->maps));
		is_frozen = vg_freezer_holds(run->hold.target->proc);
		for (size_t i = 0; i < tids.count && !held && !is_frozen; i++)
			VG_TRY(try_thread(run, tids.ids[i], &held));
		if (held)
			return NULL;
		if (!vg_live_target_is_alive(run->hold.target))
			return vg_error_new(VG_FAILED, "process %d ended meanwhile",
					    run->hold.target->pid);
		vg_clock_sleep(2 * VG_MILLISECOND);
	} while (vg_clock_now() < run->options->deadline);
	VG_TRY(vg_live_target_check_running(run->hold.target));
	if (is_frozen)
		return vg_error_new(VG_BUSY,
				    "process %d is in a frozen cgroup; thaw it and try again",
				    run->hold.target->pid);
	return vg_error_new(VG_BUSY,
			    "no thread of process %d can make a system call for vgraft now (thread "
			    "%d %s)",
			    run->hold.target->pid, run->unfit_tid,
			    run->unfit ? run->unfit : "ended");
}

static struct vg_error *write_frame(struct vg_hold *hold)
{
	VG_TRY(vg_sigframe_build(&hold->state, hold->gadgets.sigreturn, &hold->frame));
	hold->under_frame = malloc(hold->frame.count);
	if (!hold->under_frame)
		return vg_error_new(VG_FAILED, "out of memory for a signal frame");
	VG_TRY(vg_memory_read(&hold->target->memory, hold->frame.address, hold->under_frame,
			      hold->frame.count));
	return vg_memory_write(&hold->target->memory, hold->frame.address, hold->frame.bytes,
			       hold->frame.count);
}

/* Step 3, reading. What can't be read is no obstacle to a user who has filters suspended. */
static struct vg_error *read_filters(struct vg_hold *hold)
{
	struct vg_task_status status;

	if (hold->suspend_seccomp)
		return NULL;
	if (!vg_task_read_status(hold->target->proc, hold->tid, &status))
		return vg_error_new(VG_BUSY, "thread %d ended meanwhile", hold->tid);
	return vg_seccomp_read(hold->tid, status.seccomp, &hold->seccomp);
}

/* Step 5: brings the thread from behind an injected call back to an interrupt stop. */
static bool leave_call(struct vg_hold *hold)
{
	struct vg_trace_event event;

	if (!hold->on_frame)
		return true;
	ptrace(PTRACE_INTERRUPT, hold->tid, NULL, NULL);
	ptrace(PTRACE_CONT, hold->tid, NULL, NULL);
	for (unsigned i = 0; i < MAX_SIGNALS; i++) {
		event = vg_trace_wait(hold->tid, vg_clock_now() + VG_SECOND);
		if (vg_trace_is_interrupt_stop(&event))
			return true;
		if (!vg_trace_is_signal_stop(&event))
			return false;
		ptrace(PTRACE_INTERRUPT, hold->tid, NULL, NULL);
		ptrace(PTRACE_CONT, hold->tid, NULL, (void *)(uintptr_t)event.signal);
	}
	return false;
}

/* If anything fails here, the thread is let go as it is: the frame restores it. */
static void let_go(struct vg_hold *hold)
{
	struct vg_thread_state *state = &hold->state;

	if (hold->gone || !leave_call(hold))
		return;
	if (hold->on_frame && (ptrace(PTRACE_SETSIGMASK, hold->tid, (void *)sizeof(state->sigmask),
				      &state->sigmask) < 0 ||
			       ptrace(PTRACE_SETREGS, hold->tid, NULL, &state->regs) < 0))
		return;
	if (hold->under_frame)
		vg_error_free(vg_memory_write(&hold->target->memory, hold->frame.address,
					      hold->under_frame, hold->frame.count));
	ptrace(PTRACE_DETACH, hold->tid, NULL, NULL);
}

static struct vg_error *work_with_thread(struct run *run)
{
	struct vg_hold *hold = &run->hold;

	VG_TRY(write_frame(hold));
	VG_TRY(read_filters(hold));
	return run->work(hold, run->context);
}

static struct vg_error *run_hold(void *argument)
{
	struct run *run = argument;

	VG_TRY(choose_thread(run));

	uint64_t start = vg_clock_now();
	struct vg_error *error = work_with_thread(run);

	let_go(&run->hold);
	*run->nanoseconds += vg_clock_now() - start;
	return error;
}

static void clear(struct run *run)
{
	vg_sigframe_clear(&run->hold.frame);
	vg_seccomp_clear(&run->hold.seccomp);
	vg_maps_clear(&run->maps);
	free(run->hold.under_frame);
	free(run->xstate);
}

struct vg_error *vg_hold_run(const struct vg_live_target *target,
			     const struct vg_hold_options *options,
			     struct vg_error *(*work)(struct vg_hold *hold, void *context),
			     void *context, uint64_t *nanoseconds)
{
	_cleanup_(clear) struct run run = {.options = options,
					   .work = work,
					   .context = context,
					   .nanoseconds = nanoseconds,
					   .xstate = calloc(1, MAX_XSTATE_BYTES)};

	if (!run.xstate)
		return vg_error_new(VG_FAILED, "out of memory for the state of a thread");
	run.hold.target = target;
	run.hold.suspend_seccomp = options->suspend_seccomp;
	VG_TRY(vg_maps_read(target->pid, &run.maps));
	VG_TRY(vg_gadgets_find(&target->memory, &run.maps, &run.hold.gadgets));
	return vg_tracer_run(target, run_hold, &run);
}
