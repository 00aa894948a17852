/* SPDX-License-Identifier: MIT */
#include "patcher/quiesce.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/ranges.h"
#include "patcher/result.h"

#define LONGEST_WAIT (50 * VG_MILLISECOND)

/* Between half and one and a half of the wait. */
static uint64_t jitter(uint64_t wait)
{
	return wait / 2 + vg_clock_now() % (wait + 1);
}

static struct vg_error *busy(const struct vg_session *session, const struct vg_stop_report *report)
{
	const struct vg_blocker *blocker = &report->blocker;
	const char *name = blocker->name ? blocker->name : "?";

	if (blocker->coroutine)
		return vg_error_new(VG_BUSY,
				    "process %d had no safe point within %g s: a suspended "
				    "coroutine (context at 0x%" PRIx64 ") %s %s; try again later",
				    session->target.pid, session->options->timeout,
				    blocker->coroutine,
				    report->why ? report->why : "is in the changed function",
				    blocker->function ? blocker->function : "");
	if (!report->why)
		return vg_error_new(
			VG_BUSY,
			"process %d had no safe point within %g s: thread %d (%s) is in "
			"%s; try again with a longer --timeout",
			session->target.pid, session->options->timeout, blocker->tid, name,
			blocker->function ? blocker->function : "a changed function");
	return vg_error_new(VG_BUSY,
			    "process %d had no safe point within %g s: thread %d (%s) %s%s%s; try "
			    "again with a longer --timeout",
			    session->target.pid, session->options->timeout, blocker->tid, name,
			    report->why, blocker->function ? ", in " : "",
			    blocker->function ? blocker->function : "");
}

/* One attempt, with what goes before it. */
static struct vg_error *attempt(struct vg_session *session, const struct vg_stop_request *request,
				struct vg_stop_report *report)
{
	_cleanup_free_ struct vg_code_area *areas = NULL;
	size_t count = 0;

	VG_TRY(vg_ranges_code_areas(&session->areas, &areas, &count));
	VG_TRY(vg_stacks_prepare(session->stacks, areas, count));
	VG_TRY(vg_stop(request, report));
	if (report->outcome == VG_STOP_UNSAFE)
		vg_stacks_name_blocker(session->stacks, &report->blocker);
	return NULL;
}

struct vg_error *vg_quiesce(struct vg_session *session, struct vg_stop_request *request, bool once)
{
	uint64_t wait = VG_MILLISECOND;

	request->target = &session->target;
	request->stacks = session->stacks;
	request->sharing = &session->sharing;
	for (;;) {
		_cleanup_(vg_stop_report_clear) struct vg_stop_report report = {0};

		VG_TRY(attempt(session, request, &report));
		struct vg_error *error =
			report.outcome == VG_STOP_DONE ? NULL : busy(session, &report);

		vg_result_add_stop(session->result, &report);
		if (!error || once || vg_clock_now() >= session->deadline)
			return error;
		vg_error_free(error);
		vg_clock_sleep(jitter(wait));
		wait = 2 * wait < LONGEST_WAIT ? 2 * wait : LONGEST_WAIT;
	}
}
