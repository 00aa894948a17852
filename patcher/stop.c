/* SPDX-License-Identifier: MIT */
#include "patcher/stop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/freezer.h"
#include "patcher/stop_threads.h"
#include "patcher/tracer.h"

struct attempt {
	const struct vg_stop_request *request;
	struct vg_stop_report *report;
	struct vg_stop_threads threads;
	struct vg_beside beside;
	bool stands;
	pid_t sharer;
};

void vg_blocker_clear(struct vg_blocker *blocker)
{
	free(blocker->name);
	free(blocker->function);
	for (size_t i = 0; i < blocker->backtrace_count; i++)
		free(blocker->backtrace[i]);
	free(blocker->backtrace);
	*blocker = (struct vg_blocker){0};
}

void vg_stop_report_clear(struct vg_stop_report *report)
{
	vg_blocker_clear(&report->blocker);
	free(report->why);
	*report = (struct vg_stop_report){0};
}

/*
 * Arming writes 5 bytes over several instructions: a thread that stands between the first and the
 * last of them would go on in the middle of the jump.
 */
static bool is_inside_entry(const struct vg_stop_request *request, uint64_t ip)
{
	for (size_t i = 0; i < request->entry_count; i++)
		if (ip > request->entries[i] && ip < request->entries[i] + VGP_JUMP_BYTES)
			return true;
	return false;
}

/* Stubs leave nothing on a stack, so only an instruction pointer shows who is in one. */
static bool is_inside_area(const struct vg_stop_request *request, uint64_t ip)
{
	for (size_t i = 0; i < request->area_count; i++)
		if (ip >= request->areas[i].start && ip < request->areas[i].end)
			return true;
	return false;
}

/* Is the instruction pointer where none may be? Returns what to say about it. */
static const char *why_ip_is_unsafe(const struct vg_stop_request *request, uint64_t ip)
{
	if (is_inside_entry(request, ip))
		return "stands in the entry of a changed function";
	return is_inside_area(request, ip) ? "runs in the code of the patch" : NULL;
}

/* Step 5 for one thread. */
static struct vg_error *check_thread(struct attempt *attempt, struct vg_stop_thread *thread,
				     enum vg_verdict *verdict)
{
	const struct vg_stop_request *request = attempt->request;
	struct vg_stop_report *report = attempt->report;
	const struct user_regs_struct *regs = &thread->registers;

	*verdict = VG_UNSAFE;
	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &thread->registers) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot read the registers of thread %d",
				      thread->tid);
	thread->has_registers = true;

	const char *why = why_ip_is_unsafe(request, regs->rip);

	if (why) {
		report->blocker.tid = thread->tid;
		report->why = strdup(why);
		return NULL;
	}
	if (!request->range_count) {
		*verdict = VG_SAFE;
		return NULL;
	}
	return vg_stacks_check_thread(request->stacks, thread->tid, regs, request->ranges,
				      request->range_count, verdict, &report->blocker,
				      &report->why);
}

/* Step 5. */
static struct vg_error *check_all(struct attempt *attempt, enum vg_verdict *verdict)
{
	const struct vg_stop_request *request = attempt->request;
	struct vg_stop_report *report = attempt->report;

	*verdict = VG_SAFE;
	if (!request->range_count && !request->entry_count && !request->area_count)
		return NULL;
	for (size_t i = 0; i < attempt->threads.count && *verdict == VG_SAFE; i++)
		if (attempt->threads.threads[i].state == VG_THREAD_STOPPED)
			VG_TRY(check_thread(attempt, &attempt->threads.threads[i], verdict));
	if (*verdict == VG_UNSAFE || !request->range_count)
		return NULL;
	return vg_stacks_check_coroutines(request->stacks, request->ranges, request->range_count,
					  verdict, &report->blocker, &report->why,
					  &report->coroutines);
}

static bool needs_maps(const struct vg_stop_request *request)
{
	return request->range_count &&
	       (vg_stacks_can_coroutine(request->stacks) || request->leaving);
}

/* Steps 2 to 6. */
static struct vg_error *inspect_and_commit(struct attempt *attempt)
{
	enum vg_verdict verdict;

	VG_TRY(vg_stop_threads_interrupt(&attempt->threads, &attempt->stands));
	if (!attempt->stands)
		return NULL;
	if (needs_maps(attempt->request))
		vg_stacks_stand(attempt->request->stacks, &attempt->beside);
	VG_TRY(vg_sharing_find_new(attempt->request->sharing,
				   vg_stop_threads_any(&attempt->threads), &attempt->sharer));
	if (attempt->sharer)
		return NULL;
	VG_TRY(check_all(attempt, &verdict));
	if (verdict == VG_UNSAFE) {
		attempt->report->outcome = VG_STOP_UNSAFE;
		return NULL;
	}
	if (attempt->request->hooks)
		attempt->request->hooks->threads = &attempt->threads;
	VG_TRY(attempt->request->commit(attempt->request->context));
	attempt->report->outcome = VG_STOP_DONE;
	return NULL;
}

static void name_blocker(const struct vg_live_target *target, struct vg_blocker *blocker)
{
	struct vg_task task;

	if (!blocker->name && blocker->tid && vg_task_read(target->proc, blocker->tid, &task))
		blocker->name = strdup(task.name);
}

/* After everybody else was resumed: who did not stop, and where does it wait? */
static void explain_busy(struct attempt *attempt)
{
	struct vg_stop_threads *threads = &attempt->threads;
	struct vg_blocker *blocker = &attempt->report->blocker;
	struct vg_task task;
	char place[128];

	if (attempt->sharer) {
		blocker->tid = attempt->sharer;
		attempt->report->why = strdup("shares the memory of the target, as a vfork child "
					      "does until its exec");
		return;
	}
	if (attempt->stands || threads->first_waiting >= threads->count)
		return;
	blocker->tid = threads->threads[threads->first_waiting].tid;
	if (!vg_task_read(attempt->request->target->proc, blocker->tid, &task) ||
	    task.state == 'R') {
		attempt->report->starved = true;
		attempt->report->why = strdup("got no CPU to stop on before the deadline");
		return;
	}
	if (vg_freezer_holds(attempt->request->target->proc)) {
		attempt->report->why = strdup("is in a frozen cgroup");
		return;
	}
	vg_task_wait_place(attempt->request->target->proc, blocker->tid, place, sizeof(place));
	blocker->function = strdup(*place ? place : "the kernel");
	attempt->report->why = strdup("does not stop, but waits uninterruptibly");
}

static struct vg_error *run_attempt(void *argument)
{
	struct attempt *attempt = argument;
	struct vg_error *error;

	error = vg_stop_threads_seize(&attempt->threads);
	if (!error)
		error = inspect_and_commit(attempt);
	vg_stop_threads_resume(&attempt->threads);
	if (attempt->threads.began)
		attempt->report->pause =
			vg_clock_now() - attempt->threads.began -
			(attempt->request->hooks ? attempt->request->hooks->nanoseconds : 0);
	attempt->report->threads = vg_stop_threads_stopped(&attempt->threads);
	if (!error && attempt->report->outcome == VG_STOP_BUSY)
		explain_busy(attempt);
	name_blocker(attempt->request->target, &attempt->report->blocker);
	return error;
}

/* With somebody beside it, if there is something to do for them. */
static struct vg_error *run_helped_attempt(void *argument)
{
	struct attempt *attempt = argument;
	struct vg_error *error;

	if (!needs_maps(attempt->request))
		return run_attempt(attempt);
	vg_beside_start(&attempt->beside);
	error = run_attempt(attempt);
	vg_stacks_resumed(attempt->request->stacks);
	vg_beside_end(&attempt->beside);
	return error;
}

/* The first thread that is alive stands for the target. */
static struct vg_error *find_sharer(const struct vg_stop_request *request, pid_t *sharer)
{
	_cleanup_(vg_tids_clear) struct vg_tids tids = {0};
	struct vg_task task;

	*sharer = 0;
	VG_TRY(vg_tids_read(request->target->proc, &tids));
	for (size_t i = 0; i < tids.count; i++)
		if (vg_task_read(request->target->proc, tids.ids[i], &task) &&
		    !vg_task_is_dead(&task) && !vg_task_is_kernel_made(&task))
			return vg_sharing_find(request->sharing, tids.ids[i], sharer);
	return NULL;
}

struct vg_error *vg_stop(const struct vg_stop_request *request, struct vg_stop_report *report)
{
	struct attempt attempt = {.request = request, .report = report};

	*report = (struct vg_stop_report){.outcome = VG_STOP_BUSY};
	attempt.threads.target = request->target;
	attempt.threads.grace = request->grace;
	VG_TRY(find_sharer(request, &attempt.sharer));
	if (attempt.sharer) {
		explain_busy(&attempt);
		name_blocker(request->target, &report->blocker);
		return NULL;
	}

	struct vg_error *error = vg_tracer_run(request->target, run_helped_attempt, &attempt);

	vg_stop_threads_clear(&attempt.threads);
	return error;
}
