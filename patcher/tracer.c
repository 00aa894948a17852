/* SPDX-License-Identifier: MIT */
#include "patcher/tracer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/task.h"

#define LOOK_AROUND (50 * VG_MILLISECOND)

struct tracer {
	struct vg_error *(*work)(void *context);
	void *context;
	struct vg_error *error;
	pid_t tid;
};

/*
 * While this thread waits for a processor on a loaded host, stopped threads wait with it. Ends with
 * the thread; whoever may not do it goes on without.
 */
static void hurry(pid_t tid)
{
	setpriority(PRIO_PROCESS, (id_t)tid, -20);
}

static void *run_tracer(void *argument)
{
	struct tracer *tracer = argument;

	tracer->tid = (pid_t)syscall(SYS_gettid);
	hurry(tracer->tid);
	tracer->error = tracer->work(tracer->context);
	return NULL;
}

/*
 * pthread_join() returns when the thread has given up its memory, which is a little before the
 * kernel detaches its tracees. The id is free again only after that.
 */
static void wait_until_gone(pid_t tid)
{
	while (syscall(SYS_tgkill, getpid(), tid, 0) == 0)
		vg_clock_sleep(20 * VG_MICROSECOND);
}

static void reap_dead(const struct vg_live_target *target)
{
	_cleanup_(vg_tids_clear) struct vg_tids tids = {0};

	vg_error_free(vg_tids_read(target->proc, &tids));
	for (size_t i = 0; i < tids.count; i++)
		if (tids.ids[i] != target->pid)
			vg_trace_reap(tids.ids[i]);
}

static void join(pthread_t thread, const struct vg_live_target *target)
{
	for (;;) {
		struct timespec time = vg_clock_timespec(vg_clock_now() + LOOK_AROUND);

		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &time) != ETIMEDOUT)
			return;
		reap_dead(target);
	}
}

struct vg_error *vg_tracer_run(const struct vg_live_target *target,
			       struct vg_error *(*work)(void *context), void *context)
{
	struct tracer tracer = {.work = work, .context = context};
	sigset_t block, before;
	pthread_t thread;

	/* SIGCHLD must be blocked in every thread, or one that has it open would swallow it. */
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &block, &before);

	int error = pthread_create(&thread, NULL, run_tracer, &tracer);

	if (!error) {
		join(thread, target);
		wait_until_gone(tracer.tid);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return vg_error_errno(VG_FAILED, error, "cannot start the tracer thread");
	return tracer.error;
}

/*
 * The kernel tells of a tracee's stops whether they are asked for or not, and forgets what it has
 * told: so look first. Who is dead stays dead.
 */
void vg_trace_reap(pid_t tid)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return;
	if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
		waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
}

struct vg_trace_event vg_trace_look(pid_t tid)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return (struct vg_trace_event){.state = VG_TRACE_GONE};
	if (!info.si_pid)
		return (struct vg_trace_event){.state = VG_TRACE_RUNNING};
	/* A thread that has ended is released when the tracer thread ends. */
	if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
		return (struct vg_trace_event){.state = VG_TRACE_GONE};
	return (struct vg_trace_event){.state = VG_TRACE_STOPPED,
				       .signal = info.si_status & 0xff,
				       .event = info.si_status >> 8};
}

/*
 * SIGCHLD wakes this; but where it is ignored (a disposition that exec inherits) the kernel sends
 * none, so never sleep for long on it.
 */
void vg_trace_wait_any(uint64_t deadline)
{
	uint64_t now = vg_clock_now();
	uint64_t most = 500 * VG_MICROSECOND;
	sigset_t set;

	if (now >= deadline)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);

	struct timespec time = vg_clock_timespec(deadline - now < most ? deadline - now : most);

	sigtimedwait(&set, NULL, &time);
}

struct vg_trace_event vg_trace_wait(pid_t tid, uint64_t deadline)
{
	for (;;) {
		struct vg_trace_event event = vg_trace_look(tid);

		if (event.state != VG_TRACE_RUNNING || vg_clock_now() >= deadline)
			return event;
		vg_trace_wait_any(deadline);
	}
}
