/* SPDX-License-Identifier: MIT */
#include "patcher/quiesce.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/clock.h"
#include "patcher/leaving.h"
#include "patcher/ranges.h"
#include "patcher/result.h"
#include "patcher/written.h"

#define ATTEMPTS      8
#define SURE_ATTEMPTS 3
#define ROUNDS	      4
#define FEW_BYTES     (UINT64_C(128) << 10)
#define LONGEST_WAIT  (50 * VG_MILLISECOND)
#define FIRST_GRACE   (10 * VG_MILLISECOND)
#define LONGEST_GRACE (80 * VG_MILLISECOND)

/* Between half and one and a half of the wait. */
static uint64_t jitter(uint64_t wait)
{
	return wait / 2 + vg_clock_now() % (wait + 1);
}

/* When it was that there was no safe point; the caller frees it. */
static char *moment(const struct vg_session *session, bool once)
{
	char *text;

	if (once)
		return strdup("has no safe point now");
	return asprintf(&text, "had no safe point within %g s", session->options->timeout) < 0
		       ? NULL
		       : text;
}

static struct vg_error *busy(const struct vg_session *session, const struct vg_stop_report *report,
			     bool once)
{
	_cleanup_free_ char *when = moment(session, once);
	const char *again = once ? "try again" : "try again with a longer --timeout";
	const struct vg_blocker *blocker = &report->blocker;
	const char *name = blocker->name ? blocker->name : "?";

	if (!when)
		return vg_error_no_memory();
	if (blocker->coroutine)
		return vg_error_new(VG_BUSY,
				    "process %d %s: a suspended "
				    "coroutine (context at 0x%" PRIx64 ") %s %s; try again later",
				    session->target.pid, when, blocker->coroutine,
				    report->why ? report->why : "is in the changed function",
				    blocker->function ? blocker->function : "");
	if (!report->why)
		return vg_error_new(VG_BUSY, "process %d %s: thread %d (%s) is in %s; %s",
				    session->target.pid, when, blocker->tid, name,
				    blocker->function ? blocker->function : "a changed function",
				    again);
	return vg_error_new(VG_BUSY, "process %d %s: thread %d (%s) %s%s%s; %s",
			    session->target.pid, when, blocker->tid, name, report->why,
			    blocker->function ? ", in " : "",
			    blocker->function ? blocker->function : "", again);
}

/* Before anything is searched. */
static struct vg_error *protect(const struct vg_session *session)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};

	if (session->written < 0)
		return NULL;
	VG_TRY(vg_maps_read(session->target.pid, &maps));
	vg_written_protect(session->written, session->target.pid, &maps);
	return NULL;
}

static struct vg_error *prepare(struct vg_session *session)
{
	_cleanup_free_ struct vg_code_area *areas = NULL;
	size_t count = 0;

	if (!vg_live_target_is_alive(&session->target))
		return vg_error_new(VG_FAILED, "process %d ended meanwhile", session->target.pid);
	VG_TRY(protect(session));
	VG_TRY(vg_ranges_code_areas(&session->areas, &areas, &count));
	return vg_stacks_prepare(session->stacks, areas, count);
}

static struct vg_error *survey(const struct vg_stop_request *request)
{
	return request->leaving ? vg_leaving_survey(request->leaving) : NULL;
}

/* Pages were protected again that nobody searched: all are searched, and no rounds follow. */
static struct vg_error *start_over(struct vg_session *session,
				   const struct vg_stop_request *request)
{
	VG_TRY(prepare(session));
	return survey(request);
}

/* While the target was searched it went on writing: the less is left for the stop, the shorter. */
static struct vg_error *follow(struct vg_session *session, const struct vg_stop_request *request)
{
	struct vg_leaving *leaving = request->leaving;
	uint64_t bytes = UINT64_MAX;
	bool lost;

	for (unsigned round = 0; round < ROUNDS && bytes > FEW_BYTES; round++) {
		VG_TRY(vg_stacks_follow(session->stacks, leaving ? vg_leaving_take : NULL, leaving,
					&bytes, &lost));
		if (lost)
			return start_over(session, request);
		if (leaving)
			VG_TRY(vg_leaving_survey_taken(leaving));
	}
	return NULL;
}

/* One attempt, with what goes before it. */
static struct vg_error *attempt(struct vg_session *session, const struct vg_stop_request *request,
				bool tracks, struct vg_stop_report *report)
{
	VG_TRY(prepare(session));
	if (tracks && vg_stacks_want_tracking(session->stacks)) {
		vg_session_track(session);
		VG_TRY(prepare(session));
	}
	VG_TRY(survey(request));
	VG_TRY(follow(session, request));
	vg_stacks_settle(session->stacks, request->ranges, request->range_count);
	VG_TRY(vg_stop(request, report));
	if (report->outcome == VG_STOP_UNSAFE)
		vg_stacks_name_blocker(session->stacks, &report->blocker);
	return NULL;
}

/*
 * How much it says to the user: a thread in a changed function more than one that the kernel does
 * not let stop, and that more than one that a busy host did not let run until the deadline.
 */
static unsigned how_telling(const struct vg_stop_report *report)
{
	if (report->outcome == VG_STOP_UNSAFE)
		return 3;
	return report->starved ? 1 : 2;
}

/* What says more is not forgotten for the sake of what says less; otherwise the last one counts. */
static struct vg_error *better(struct vg_error *before, struct vg_error *now, unsigned telling,
			       unsigned *told)
{
	if (before && telling < *told) {
		vg_error_free(now);
		return before;
	}
	*told = telling;
	vg_error_free(before);
	return now;
}

/*
 * Nor is it forgotten that a busy host stood in the way more often than the thread that is named:
 * otherwise nobody could explain why there was no safe point for so long.
 */
static struct vg_error *with_tally(struct vg_error *error, unsigned attempts, unsigned starved,
				   unsigned told)
{
	if (!error || told < 2 || 2 * starved <= attempts)
		return error;

	struct vg_error *whole = vg_error_new(
		vg_error_code(error), "%s (in %u of %u attempts a thread got no CPU to stop on)",
		vg_error_text(error), starved, attempts);

	vg_error_free(error);
	return whole;
}

/*
 * Who asks whether the patch would go in now does not ask about the very microsecond: a thread that
 * is in a changed function each time is an answer. That a thread did not stop is none; a few more
 * attempts are made, and where a loaded host did not let it run, all that the time allows.
 */
static bool is_answer(const struct vg_session *session, const struct vg_stop_report *report,
		      unsigned attempts, unsigned unsafe)
{
	if (unsafe >= SURE_ATTEMPTS)
		return true;
	return attempts >= ATTEMPTS && (!report->starved || vg_clock_now() >= session->deadline);
}

/*
 * The deadline is there for threads that do not stop. One that is runnable stops as soon as it gets
 * a CPU, which takes longer on a loaded host, in every attempt alike: it is waited for a little
 * longer each time, up to what a host that busy does to every thread anyway.
 */
static uint64_t next_grace(uint64_t grace, const struct vg_stop_report *report)
{
	if (!report->starved)
		return 0;
	grace = grace ? 2 * grace : FIRST_GRACE;
	return grace < LONGEST_GRACE ? grace : LONGEST_GRACE;
}

struct vg_error *vg_quiesce(struct vg_session *session, struct vg_stop_request *request, bool once)
{
	uint64_t wait = VG_MILLISECOND;
	struct vg_error *error = NULL;
	unsigned attempts = 0, unsafe = 0, starved = 0, told = 0;

	request->target = &session->target;
	request->stacks = session->stacks;
	request->sharing = &session->sharing;
	if (request->leaving && !request->leaving->count)
		request->leaving = NULL;
	for (;;) {
		_cleanup_(vg_stop_report_clear) struct vg_stop_report report = {0};
		struct vg_error *failure = attempt(session, request, !once && !attempts, &report);
		bool done = failure || report.outcome == VG_STOP_DONE;

		struct vg_error *sentence = done ? NULL : busy(session, &report, once);
		unsigned telling = how_telling(&report);

		vg_result_add_stop(session->result, &report, !done && telling < told);
		if (done) {
			vg_error_free(error);
			return failure;
		}
		request->grace = next_grace(request->grace, &report);
		error = better(error, sentence, telling, &told);
		attempts++;
		unsafe += report.outcome == VG_STOP_UNSAFE;
		starved += report.starved;
		if (once ? is_answer(session, &report, attempts, unsafe)
			 : vg_clock_now() >= session->deadline)
			return with_tally(error, attempts, starved, told);
		vg_clock_sleep(jitter(wait));
		wait = 2 * wait < LONGEST_WAIT ? 2 * wait : LONGEST_WAIT;
	}
}
