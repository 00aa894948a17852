/* SPDX-License-Identifier: MIT */
#include "patcher/hook_thread.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/hold_thread.h"
#include "patcher/seccomp.h"
#include "patcher/stop_threads.h"
#include "patcher/tracer.h"

#define DEADLINE       (2 * VG_SECOND)
#define STOP_WAIT      VG_SECOND
#define SYSCALL_STOP   (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define TRAP_FLAG      0x100ull
#define DIRECTION_FLAG 0x400ull
#define MAX_STOPS      64
#define BIT(signal)    (1ull << ((signal)-1))

/* A fault whose signal is blocked would reset the handler: these stay open. */
#define FAULTS (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) | BIT(SIGTRAP) | BIT(SIGSYS))

static bool is_plain_stop(pid_t tid)
{
	struct vg_trace_event event = vg_trace_look(tid);

	return vg_trace_is_interrupt_stop(&event) && event.signal == SIGTRAP;
}

static bool read_state(struct vg_hook_thread *thread, pid_t tid)
{
	struct vg_thread_state *state = &thread->state;
	struct iovec xstate = {.iov_base = thread->xstate, .iov_len = sizeof(thread->xstate)};

	if (ptrace(PTRACE_GETREGS, tid, NULL, &state->regs) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(state->sigmask), &state->sigmask) < 0)
		return false;
	thread->xstate_type = NT_X86_XSTATE;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &xstate) < 0) {
		thread->xstate_type = NT_PRFPREG;
		if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRFPREG, &xstate) < 0)
			return false;
	}
	state->xstate = thread->xstate;
	state->xstate_bytes = xstate.iov_len;
	return true;
}

static bool passes(const struct vg_seccomp *filters, int number, uint64_t address)
{
	struct seccomp_data data = {
		.nr = number, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = address};

	return vg_seccomp_passes(vg_seccomp_action(filters, &data));
}

/* NULL: the filters let rt_sigreturn pass. */
static const char *why_filtered(struct vg_hook_thread *thread, pid_t tid,
				const struct vg_task_status *status)
{
	_cleanup_(vg_seccomp_clear) struct vg_seccomp filters = {0};
	uint64_t end = thread->hooks->gadgets.sigreturn_end;
	struct vg_error *error = vg_seccomp_read(tid, status->seccomp, &filters);

	thread->can_skip = !error && passes(&filters, -1, end);

	bool fine = !error && passes(&filters, SYS_rt_sigreturn, end);

	vg_error_free(error);
	return fine ? NULL : "has seccomp filters that do not let rt_sigreturn pass";
}

static const char *why_unfit(struct vg_hook_thread *thread, pid_t tid, const struct vg_maps *maps)
{
	const struct vg_live_target *target = &thread->hooks->session->target;
	/* The hook's own code runs on the stack too. */
	const struct vg_hold_needs needs = {.memory = &target->memory,
					    .maps = maps,
					    .restorer = thread->hooks->gadgets.sigreturn,
					    .alternate_room = VG_HOLD_STACK_ROOM};
	struct vg_task_status status;
	const char *why;

	if (!is_plain_stop(tid) || !read_state(thread, tid) ||
	    !vg_task_read_status(target->proc, tid, &status))
		return "is about to get a signal";
	if (status.shadow_stack)
		return "has a shadow stack";
	why = vg_hold_why_unfit(tid, &thread->state.regs, &needs);
	return why ?: why_filtered(thread, tid, &status);
}

struct vg_error *vg_hook_thread_choose(struct vg_hook_thread *thread)
{
	const struct vg_hooks *hooks = thread->hooks;
	const struct vg_stop_threads *all = hooks->stop.threads;
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	const char *why = "ended";
	pid_t tid = 0;

	VG_TRY(vg_maps_read(hooks->session->target.pid, &maps));
	for (size_t i = 0; i < all->count && why; i++) {
		if (all->threads[i].state != VG_THREAD_STOPPED || all->threads[i].signal)
			continue;
		tid = all->threads[i].tid;
		why = why_unfit(thread, tid, &maps);
	}
	if (why)
		return vg_error_new(VG_BUSY,
				    "no thread of process %d can run a hook now (thread %d %s); "
				    "try again",
				    hooks->session->target.pid, tid, why);
	thread->tid = tid;
	return NULL;
}

/* Step 2. */
static struct vg_error *write_frame(struct vg_hook_thread *thread)
{
	const struct vg_memory *memory = &thread->hooks->session->target.memory;

	VG_TRY(vg_sigframe_build(&thread->state, thread->hooks->gadgets.sigreturn, &thread->frame));
	thread->under_frame = malloc(thread->frame.count);
	if (!thread->under_frame)
		return vg_error_new(VG_FAILED, "out of memory for a signal frame");
	VG_TRY(vg_memory_read(memory, thread->frame.address, thread->under_frame,
			      thread->frame.count));
	return vg_memory_write(memory, thread->frame.address, thread->frame.bytes,
			       thread->frame.count);
}

/* Step 3. */
static struct vg_error *set_registers(struct vg_hook_thread *thread, uint64_t address)
{
	struct user_regs_struct regs = thread->state.regs;
	uint64_t mask = ~FAULTS;
	uintptr_t options = PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD;

	regs.rip = address;
	regs.rsp = thread->frame.address;
	regs.rbp = 0;
	regs.rax = 0;
	regs.orig_rax = (uint64_t)-1; /* not in a system call: nothing is to be restarted */
	regs.eflags &= ~(TRAP_FLAG | DIRECTION_FLAG);
	if (ptrace(PTRACE_SETOPTIONS, thread->tid, NULL, (void *)options) < 0 ||
	    ptrace(PTRACE_SETREGS, thread->tid, NULL, &regs) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot set the registers of thread %d",
				      thread->tid);
	if (ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0) {
		struct vg_error *error = vg_error_errno(
			VG_FAILED, errno, "cannot set the signal mask of thread %d", thread->tid);

		/* If this fails too, the thread runs the hook on its own, and comes back. */
		ptrace(PTRACE_SETREGS, thread->tid, NULL, &thread->state.regs);
		return error;
	}
	return NULL;
}

static bool is_at_sigreturn(const struct vg_hook_thread *thread,
			    const struct user_regs_struct *regs)
{
	return regs->rip == thread->hooks->gadgets.sigreturn_end &&
	       regs->orig_rax == SYS_rt_sigreturn && regs->rsp == thread->frame.address + 8;
}

/* The kernel sent it because of what the thread did; others may send the same signals. */
static bool is_fault(pid_t tid, int signal)
{
	siginfo_t info;

	return FAULTS & BIT(signal) &&
	       (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) < 0 || info.si_code > 0);
}

/* One stop on the way. True: the hook is at its end. */
static bool look_at_stop(struct vg_hook_thread *thread, const struct vg_trace_event *event,
			 struct vg_hook_result *result)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0) {
		result->end = VG_HOOK_LOST;
		return true;
	}
	if (event->signal == SYSCALL_STOP && !event->event) {
		result->end = VG_HOOK_RETURNED;
		result->verdict = (int64_t)regs.rdx;
		return is_at_sigreturn(thread, &regs);
	}
	if (!vg_trace_is_signal_stop(event))
		return false;
	if (is_fault(thread->tid, event->signal)) {
		result->end = VG_HOOK_FAULT;
		result->signal = event->signal;
		result->address = regs.rip;
		return true;
	}
	/* Not ours: sent again when the hook is done. */
	thread->held |= BIT(event->signal);
	return false;
}

/* Step 4. */
static void run_to_end(struct vg_hook_thread *thread, struct vg_hook_result *result)
{
	uint64_t deadline = vg_clock_now() + DEADLINE;

	for (;;) {
		result->end = VG_HOOK_LOST;
		if (ptrace(PTRACE_SYSCALL, thread->tid, NULL, NULL) < 0)
			return;

		struct vg_trace_event event = vg_trace_wait(thread->tid, deadline);

		if (event.state == VG_TRACE_RUNNING)
			result->end = VG_HOOK_TIMEOUT;
		if (event.state != VG_TRACE_STOPPED || look_at_stop(thread, &event, result))
			return;
	}
}

/* From wherever it stands: rt_sigreturn would put it back. */
static bool send_to_restorer(const struct vg_hook_thread *thread)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0)
		return false;
	regs.rip = thread->hooks->gadgets.sigreturn;
	regs.rsp = thread->frame.address + 8;
	regs.orig_rax = (uint64_t)-1;
	regs.eflags &= ~(TRAP_FLAG | DIRECTION_FLAG);
	return ptrace(PTRACE_SETREGS, thread->tid, NULL, &regs) == 0;
}

/* Goes on, and waits for the interrupt stop. */
static bool reach_interrupt_stop(struct vg_hook_thread *thread, bool resume)
{
	uint64_t deadline = vg_clock_now() + STOP_WAIT;

	ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
	if (resume)
		ptrace(PTRACE_CONT, thread->tid, NULL, NULL);
	for (unsigned i = 0; i < MAX_STOPS; i++) {
		struct vg_trace_event event = vg_trace_wait(thread->tid, deadline);

		if (vg_trace_is_interrupt_stop(&event))
			return true;
		if (event.state != VG_TRACE_STOPPED)
			return false;
		/* A fault of a hook that is past its deadline is forgotten with it. */
		if (vg_trace_is_signal_stop(&event) && !is_fault(thread->tid, event.signal))
			thread->held |= BIT(event.signal);
		ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
		ptrace(PTRACE_CONT, thread->tid, NULL, NULL);
	}
	return false;
}

/* Step 5, the first half, by how the hook ended. */
static bool leave_hook(struct vg_hook_thread *thread, enum vg_hook_end end)
{
	switch (end) {
	case VG_HOOK_RETURNED:
		return (!thread->can_skip || send_to_restorer(thread)) &&
		       reach_interrupt_stop(thread, true);
	case VG_HOOK_FAULT:
		return send_to_restorer(thread) && reach_interrupt_stop(thread, true);
	case VG_HOOK_TIMEOUT:
		return reach_interrupt_stop(thread, false) && send_to_restorer(thread);
	default:
		return false;
	}
}

/* The second half. As long as this fails the frame restores the thread. */
static bool put_back(struct vg_hook_thread *thread)
{
	struct vg_thread_state *state = &thread->state;
	struct iovec xstate = {.iov_base = thread->xstate, .iov_len = state->xstate_bytes};

	if (ptrace(PTRACE_SETREGSET, thread->tid, (void *)(uintptr_t)thread->xstate_type, &xstate) <
		    0 ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(state->sigmask),
		   &state->sigmask) < 0 ||
	    ptrace(PTRACE_SETREGS, thread->tid, NULL, &state->regs) < 0)
		return false;
	vg_error_free(vg_memory_write(&thread->hooks->session->target.memory, thread->frame.address,
				      thread->under_frame, thread->frame.count));
	return true;
}

static void send_held(struct vg_hook_thread *thread)
{
	pid_t pid = thread->hooks->session->target.pid;

	for (int signal = 1; signal <= 64; signal++)
		if (thread->held & BIT(signal))
			syscall(SYS_tgkill, pid, thread->tid, signal);
	thread->held = 0;
}

static void forget_frame(struct vg_hook_thread *thread)
{
	vg_sigframe_clear(&thread->frame);
	free(thread->under_frame);
	thread->under_frame = NULL;
}

struct vg_error *vg_hook_thread_run(struct vg_hook_thread *thread, uint64_t address,
				    struct vg_hook_result *result)
{
	*result = (struct vg_hook_result){.end = VG_HOOK_LOST};
	forget_frame(thread);
	VG_TRY(write_frame(thread));
	VG_TRY(set_registers(thread, address));
	run_to_end(thread, result);
	if (!leave_hook(thread, result->end) || !put_back(thread))
		result->end = VG_HOOK_LOST;
	send_held(thread);
	return NULL;
}

void vg_hook_thread_clear(struct vg_hook_thread *thread)
{
	forget_frame(thread);
}
