/* SPDX-License-Identifier: MIT */
#include "patcher/stop_threads.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ptrace.h>

#include "patcher/clock.h"
#include "patcher/tracer.h"

#define DEADLINE	    (10 * VG_MILLISECOND)
#define DEADLINE_PER_THREAD (50 * VG_MICROSECOND)
#define NONE		    SIZE_MAX

static struct vg_error *add(struct vg_stop_threads *threads, pid_t tid,
			    enum vg_stop_thread_state state)
{
	if (threads->count == threads->capacity) {
		/* Room for twice as many: a stop that meets newborn threads need not allocate. */
		size_t capacity = 2 * threads->capacity + 64;
		struct vg_stop_thread *grown =
			reallocarray(threads->threads, capacity, sizeof(*grown));

		if (!grown)
			return vg_error_new(VG_FAILED, "out of memory for the list of threads");
		threads->threads = grown;
		threads->capacity = capacity;
	}
	threads->threads[threads->count++] = (struct vg_stop_thread){.tid = tid, .state = state};
	return NULL;
}

/* The list keeps its order from one reading to the next: the wanted id mostly is the next one. */
static size_t find(const struct vg_stop_threads *threads, pid_t tid, size_t *hint)
{
	for (size_t i = 0; i < threads->count; i++) {
		size_t at = (*hint + i) % threads->count;

		if (threads->threads[at].tid == tid) {
			*hint = at + 1;
			return at;
		}
	}
	return NONE;
}

/* SEIZE says EPERM for threads that can't be attached: which of the reasons is it? */
static struct vg_error *explain_refusal(struct vg_stop_threads *threads, pid_t tid, int error)
{
	struct vg_task_status status = {0};
	struct vg_task task;

	if (!vg_task_read(threads->target->proc, tid, &task))
		return NULL; /* it is gone */
	if (vg_task_is_kernel_made(&task) || vg_task_is_dead(&task))
		return add(threads, tid, VG_THREAD_IGNORED);
	vg_task_read_status(threads->target->proc, tid, &status);
	if (status.tracer)
		return vg_error_new(VG_REFUSED,
				    "thread %d (%s) is traced by process %d; detach the debugger "
				    "and try again",
				    tid, task.name, status.tracer);
	return vg_error_errno(VG_REFUSED, error, "may not trace thread %d (%s); run vgraft as root",
			      tid, task.name);
}

/* A newborn thread is attached already, by PTRACE_O_TRACECLONE: then it is our child. */
static bool is_attached(pid_t tid)
{
	return vg_trace_look(tid).state != VG_TRACE_GONE;
}

/*
 * Some kernels let a thread that KVM made (kvm-nx-lpage-recovery, Linux 6.18) be seized, and it
 * even stops, with an instruction pointer of 0. So it is asked what it is before it is touched.
 */
static bool is_kernel_made(const struct vg_stop_threads *threads, pid_t tid)
{
	struct vg_task task;

	return vg_task_read(threads->target->proc, tid, &task) && vg_task_is_kernel_made(&task);
}

static struct vg_error *seize(struct vg_stop_threads *threads, pid_t tid)
{
	if (is_kernel_made(threads, tid))
		return add(threads, tid, VG_THREAD_IGNORED);
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)(uintptr_t)PTRACE_O_TRACECLONE) == 0)
		return add(threads, tid, VG_THREAD_SEIZED);
	if (errno == ESRCH)
		return NULL;

	int error = errno;

	if (is_attached(tid))
		return add(threads, tid, VG_THREAD_SEIZED);
	return explain_refusal(threads, tid, error);
}

/* Adds the threads of the list that are not known yet. *added: how many. */
static struct vg_error *add_new(struct vg_stop_threads *threads, size_t *added)
{
	size_t before = threads->count;
	size_t hint = 0;

	VG_TRY(vg_tids_read(threads->target->proc, &threads->tids));
	for (size_t i = 0; i < threads->tids.count; i++)
		if (!threads->count || find(threads, threads->tids.ids[i], &hint) == NONE)
			VG_TRY(seize(threads, threads->tids.ids[i]));
	*added = threads->count - before;
	return NULL;
}

/*
 * Between reading an id and seizing it, the thread may end and its id be given to a thread of
 * another process. A seized thread keeps its id, so now the list tells the truth.
 */
static bool is_in_list(const struct vg_tids *tids, pid_t tid, size_t *hint)
{
	for (size_t i = 0; i < tids->count; i++) {
		size_t at = (*hint + i) % tids->count;

		if (tids->ids[at] == tid) {
			*hint = at + 1;
			return true;
		}
	}
	return false;
}

static void drop_strangers(struct vg_stop_threads *threads)
{
	size_t kept = 0, hint = 0;

	for (size_t i = 0; i < threads->count; i++)
		if (is_in_list(&threads->tids, threads->threads[i].tid, &hint))
			threads->threads[kept++] = threads->threads[i];
	threads->count = kept;
}

static bool has_seized(const struct vg_stop_threads *threads)
{
	for (size_t i = 0; i < threads->count; i++)
		if (threads->threads[i].state == VG_THREAD_SEIZED)
			return true;
	return false;
}

struct vg_error *vg_stop_threads_seize(struct vg_stop_threads *threads)
{
	size_t added;

	VG_TRY(add_new(threads, &added));
	VG_TRY(add_new(threads, &added));
	drop_strangers(threads);
	if (!has_seized(threads))
		return vg_error_new(VG_FAILED, "process %d ended meanwhile", threads->target->pid);
	return NULL;
}

static void interrupt_from(const struct vg_stop_threads *threads, size_t first)
{
	for (size_t i = first; i < threads->count; i++)
		if (threads->threads[i].state == VG_THREAD_SEIZED)
			ptrace(PTRACE_INTERRUPT, threads->threads[i].tid, NULL, NULL);
}

/* Looks at one thread; true if it need not be waited for any more. */
static bool settle(struct vg_stop_thread *thread)
{
	struct vg_trace_event event;

	if (thread->state != VG_THREAD_SEIZED)
		return true;
	event = vg_trace_look(thread->tid);
	if (event.state == VG_TRACE_RUNNING)
		return false;
	thread->state = event.state == VG_TRACE_STOPPED ? VG_THREAD_STOPPED : VG_THREAD_IGNORED;
	if (vg_trace_is_signal_stop(&event))
		thread->signal = event.signal;
	return true;
}

static bool collect(struct vg_stop_threads *threads, uint64_t deadline)
{
	for (; threads->first_waiting < threads->count; threads->first_waiting++)
		while (!settle(&threads->threads[threads->first_waiting])) {
			if (vg_clock_now() >= deadline)
				return false;
			vg_trace_wait_any(deadline);
		}
	return true;
}

struct vg_error *vg_stop_threads_interrupt(struct vg_stop_threads *threads, bool *stands)
{
	size_t added = 0;

	threads->began = vg_clock_now();
	interrupt_from(threads, 0);
	do {
		uint64_t deadline = threads->began + DEADLINE +
				    threads->count * DEADLINE_PER_THREAD + threads->grace;

		*stands = collect(threads, deadline);
		if (!*stands)
			return NULL;
		VG_TRY(add_new(threads, &added));
		interrupt_from(threads, threads->count - added);
	} while (added);
	return NULL;
}

void vg_stop_threads_resume(struct vg_stop_threads *threads)
{
	for (size_t i = 0; i < threads->count; i++) {
		struct vg_stop_thread *thread = &threads->threads[i];

		/* One that was seized only may stand by now, with a signal. */
		if (thread->state == VG_THREAD_SEIZED)
			settle(thread);
		if (thread->state == VG_THREAD_STOPPED)
			ptrace(PTRACE_DETACH, thread->tid, NULL, (void *)(uintptr_t)thread->signal);
	}
}

pid_t vg_stop_threads_any(const struct vg_stop_threads *threads)
{
	for (size_t i = 0; i < threads->count; i++)
		if (threads->threads[i].state == VG_THREAD_STOPPED)
			return threads->threads[i].tid;
	return 0;
}

unsigned vg_stop_threads_stopped(const struct vg_stop_threads *threads)
{
	unsigned count = 0;

	for (size_t i = 0; i < threads->count; i++)
		count += threads->threads[i].state == VG_THREAD_STOPPED;
	return count;
}

void vg_stop_threads_clear(struct vg_stop_threads *threads)
{
	free(threads->threads);
	vg_tids_clear(&threads->tids);
	*threads = (struct vg_stop_threads){0};
}
