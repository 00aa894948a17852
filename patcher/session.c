/* SPDX-License-Identifier: MIT */
#include "patcher/session.h"

#include <string.h>
#include <unistd.h>

#include "patcher/clock.h"
#include "patcher/written.h"

#define TRACK_WAIT   (20 * VG_MILLISECOND)
#define UNTRACK_WAIT (2 * VG_SECOND)

/* A timeout beyond a year is as good as none. */
static uint64_t deadline_after(double seconds)
{
	const double most = 365.0 * 24 * 3600;

	if (!(seconds > 0))
		return vg_clock_now();
	return vg_clock_now() + (uint64_t)((seconds < most ? seconds : most) * (double)VG_SECOND);
}

struct vg_error *vg_session_open(struct vg_session *session, pid_t pid,
				 const struct vg_patch_options *options, struct vg_result *result)
{
	*session = (struct vg_session){.target = VG_LIVE_TARGET_NONE,
				       .options = options,
				       .result = result,
				       .deadline = deadline_after(options->timeout),
				       .written = -1,
				       .sharing = {.loadavg = -1}};
	VG_TRY(vg_live_target_open(pid, &session->target));
	VG_TRY(vg_live_target_lock(&session->target, session->deadline));
	VG_TRY(vg_live_target_check_stoppable(&session->target));
	VG_TRY(vg_sharing_open(pid, &session->sharing));
	VG_TRY(vg_stacks_open(pid, &session->target.memory, &session->stacks));
	return vg_session_look(session);
}

static void forget(struct vg_session *session)
{
	vg_areas_clear(&session->areas);
	vg_modules_clear(&session->modules);
	vg_maps_clear(&session->maps);
}

struct vg_error *vg_session_look(struct vg_session *session)
{
	forget(session);
	VG_TRY(vg_maps_read(session->target.pid, &session->maps));
	VG_TRY(vg_modules_read(&session->target.memory, &session->maps, &session->modules));
	VG_TRY(vg_areas_read(&session->target.memory, &session->maps, &session->areas));
	if (!vg_live_target_is_alive(&session->target))
		return vg_error_new(VG_FAILED, "process %d ended meanwhile", session->target.pid);
	return NULL;
}

static uint64_t journal_of(const struct vg_session *session)
{
	const struct vg_areas *areas = &session->areas;

	if (session->journal || !areas->count)
		return session->journal;
	return areas->patches[areas->count - 1].areas[0].header.area_address;
}

static struct vg_hold_options hold_options(const struct vg_session *session, uint64_t wait)
{
	return (struct vg_hold_options){.suspend_seccomp = session->options->suspend_seccomp,
					.deadline = vg_clock_now() + wait};
}

void vg_session_track(struct vg_session *session)
{
	struct vg_hold_options options = hold_options(session, TRACK_WAIT);
	uint64_t journal = journal_of(session);

	if (session->asked_for_written || !journal)
		return;
	session->asked_for_written = true;
	vg_error_free(vg_written_open(&session->target, &options, journal, &session->written,
				      &session->inject));
	if (session->written >= 0)
		vg_stacks_track(session->stacks);
}

struct vg_error *vg_session_untrack(struct vg_session *session, bool *closed)
{
	struct vg_hold_options options = hold_options(session, UNTRACK_WAIT);

	*closed = false;
	for (size_t i = 0; i < session->areas.count; i++) {
		struct vga_header *header = &session->areas.patches[i].areas[0].header;

		if (header->opens)
			VG_TRY(vg_written_recover(&session->target, &options, header->area_address,
						  closed, &session->inject));
		header->opens = 0;
	}
	return NULL;
}

void vg_session_close(struct vg_session *session)
{
	session->result->inject_us += (double)session->inject / 1000.0;
	forget(session);
	vg_stacks_close(session->stacks);
	session->stacks = NULL;
	vg_sharing_close(&session->sharing);
	if (session->written >= 0)
		close(session->written);
	session->written = -1;
	vg_live_target_close(&session->target);
}

struct vg_installed *vg_session_find(struct vg_session *session, const char *name)
{
	for (size_t i = 0; i < session->areas.count; i++)
		if (session->areas.patches[i].state != VGA_RETIRED &&
		    strcmp(vg_installed_name(&session->areas.patches[i]), name) == 0)
			return &session->areas.patches[i];
	return NULL;
}
