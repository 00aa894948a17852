/* SPDX-License-Identifier: MIT */
/* Steps 3 and 4 of hold.h: one injected call. */
#include "patcher/hold.h"

#include <errno.h>
#include <signal.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <vgraft/rules.h>

#include "patcher/clock.h"
#include "patcher/tracer.h"

#define CALL_WAIT      (10 * VG_SECOND)
#define SYSCALL_STOP   (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define TRAP_FLAG      0x100ull
#define DIRECTION_FLAG 0x400ull

const char *vg_call_name(long number)
{
	switch (number) {
	case SYS_mmap:
		return "mmap";
	case SYS_munmap:
		return "munmap";
	case SYS_prctl:
		return "prctl";
	case SYS_userfaultfd:
		return "userfaultfd";
	case SYS_close:
		return "close";
	case SYS_rt_sigreturn:
		return "rt_sigreturn";
	default:
		return "a system call";
	}
}

static struct vg_error *check_one(const struct vg_hold *hold, long number, uint64_t ip,
				  const uint64_t arguments[6])
{
	struct seccomp_data data = {
		.nr = (int)number, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = ip};

	memcpy(data.args, arguments, sizeof(data.args));

	uint32_t action = vg_seccomp_action(&hold->seccomp, &data);

	if (vg_seccomp_passes(action))
		return NULL;
	return vg_error_refuse(VG_RULE_SECCOMP,
			       "the seccomp filters of thread %d answer %s with %s; nothing was "
			       "injected; allow the call in the target's sandbox, or use "
			       "--suspend-seccomp",
			       hold->tid, vg_call_name(number), vg_seccomp_action_name(action));
}

/* The arguments of a call still stand in the registers when sigreturn is called. */
struct vg_error *vg_hold_check_call(const struct vg_hold *hold, const struct vg_call *call)
{
	VG_TRY(check_one(hold, call->number, hold->gadgets.system_call + 2, call->arguments));
	return check_one(hold, SYS_rt_sigreturn, hold->gadgets.sigreturn_end, call->arguments);
}

static struct user_regs_struct call_registers(const struct vg_hold *hold,
					      const struct vg_call *call)
{
	struct user_regs_struct regs = hold->state.regs;

	regs.rip = hold->gadgets.system_call;
	regs.rsp = hold->frame.address;
	regs.rax = (uint64_t)call->number;
	regs.orig_rax = (uint64_t)-1; /* not in a system call: nothing is to be restarted */
	regs.eflags &= ~(TRAP_FLAG | DIRECTION_FLAG);
	regs.rdi = call->arguments[0];
	regs.rsi = call->arguments[1];
	regs.rdx = call->arguments[2];
	regs.r10 = call->arguments[3];
	regs.r8 = call->arguments[4];
	regs.r9 = call->arguments[5];
	return regs;
}

/*
 * Runs to the next system call stop. All signals are blocked but SIGKILL and SIGSTOP; a SIGSTOP is
 * handed on, and takes effect when the thread is let go.
 */
static bool run_to_syscall_stop(const struct vg_hold *hold)
{
	uint64_t deadline = vg_clock_now() + CALL_WAIT;
	int signal = 0;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, hold->tid, NULL, (void *)(uintptr_t)signal) < 0)
			return false;
		struct vg_trace_event event = vg_trace_wait(hold->tid, deadline);

		if (event.state != VG_TRACE_STOPPED)
			return false;
		if (event.signal == SYSCALL_STOP && !event.event)
			return true;
		signal = vg_trace_is_signal_stop(&event) ? event.signal : 0;
	}
}

static const char *what_it_does(pid_t tid)
{
	switch (vg_trace_look(tid).state) {
	case VG_TRACE_GONE:
		return "it has ended";
	case VG_TRACE_STOPPED:
		return "it stands elsewhere";
	default:
		return "it is still there, or gets no CPU";
	}
}

/* Nobody knows whether the call was made. */
static struct vg_error *lost(struct vg_hold *hold, const struct vg_call *call)
{
	hold->gone = true;
	return vg_error_new(VG_BUSY, "thread %d did not come back from %s: %s", hold->tid,
			    vg_call_name(call->number), what_it_does(hold->tid));
}

static struct vg_error *set_registers(struct vg_hold *hold, const struct vg_call *call)
{
	struct user_regs_struct regs = call_registers(hold, call);
	uint64_t all = ~0ull;

	if (ptrace(PTRACE_SETREGS, hold->tid, NULL, &regs) < 0)
		return lost(hold, call);
	hold->on_frame = true;
	if (ptrace(PTRACE_SETSIGMASK, hold->tid, (void *)sizeof(all), &all) < 0)
		return lost(hold, call);
	return NULL;
}

struct vg_error *vg_hold_call(struct vg_hold *hold, const struct vg_call *call, int64_t *result)
{
	struct user_regs_struct regs;

	VG_TRY(vg_hold_check_call(hold, call));
	VG_TRY(set_registers(hold, call));
	if (!run_to_syscall_stop(hold))
		return lost(hold, call);
	if (ptrace(PTRACE_GETREGS, hold->tid, NULL, &regs) < 0 ||
	    regs.orig_rax != (uint64_t)call->number || regs.rip != hold->gadgets.system_call + 2)
		return lost(hold, call);
	if (!run_to_syscall_stop(hold) || ptrace(PTRACE_GETREGS, hold->tid, NULL, &regs) < 0)
		return lost(hold, call);
	*result = (int64_t)regs.rax;
	return NULL;
}
