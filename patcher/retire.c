/* SPDX-License-Identifier: MIT */
#include "patcher/retire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/install.h"
#include "patcher/quiesce.h"
#include "patcher/ranges.h"
#include "patcher/result.h"
#include "patcher/switch.h"

/* One patch that is out. */
struct leftover {
	struct vg_session *session;
	const struct vg_installed *installed;
	const struct vg_leaving *decided; /* by the stop that took it out, or NULL */
	struct vg_leaving leaving;	  /* of a stop of its own */
	struct vg_stop_hooks threads;	  /* of that stop */
	char *why;			  /* it has to stay, as the end of a sentence; or NULL */
};

static void clear(struct leftover *leftover)
{
	vg_leaving_clear(&leftover->leaving);
	free(leftover->why);
}

static struct vg_error *stays(struct leftover *leftover, char *why)
{
	leftover->why = why;
	return why ? NULL : vg_error_no_memory();
}

/* Step 1. */
static struct vg_error *look_for_dependents(struct leftover *leftover)
{
	const struct vg_areas *areas = &leftover->session->areas;
	const char *name = vg_installed_name(leftover->installed);
	char *why;

	for (size_t i = 0; i < areas->count; i++) {
		const struct vg_installed *other = &areas->patches[i];

		if (other == leftover->installed || !other->object ||
		    !vg_patch_depends_on(other->object, name))
			continue;
		if (asprintf(&why, "patch %s, which depends on it, is still mapped",
			     vg_installed_name(other)) < 0)
			return vg_error_no_memory();
		return stays(leftover, why);
	}
	return NULL;
}

/* Some 10 ms for each 64 MiB; nobody is held longer for the sake of some pages. */
#define UNTRACKED_BYTES (UINT64_C(64) << 20)

static struct vg_error *keep_out_of_stop(struct leftover *leftover)
{
	char *why;

	if (leftover->session->written >= 0 || leftover->leaving.surveyed <= UNTRACKED_BYTES)
		return NULL;
	if (asprintf(&why,
		     "a search of %" PRIu64 " MiB for pointers to it would hold the threads too "
		     "long on this kernel (6.7 or later keeps track of written pages)",
		     leftover->leaving.surveyed >> 20) < 0)
		return vg_error_no_memory();
	return stays(leftover, why);
}

/* Step 3. Its code runs no more: what points into it now is reason enough. */
static struct vg_error *look_while_running(struct leftover *leftover)
{
	struct vg_leaving *leaving = &leftover->leaving;

	leaving->session = leftover->session;
	VG_TRY(vg_leaving_add(leaving, leftover->installed));
	VG_TRY(vg_leaving_survey(leaving));
	if (!leaving->found)
		return NULL;
	return stays(leftover, strdup(leaving->found));
}

static struct vg_error *decide(void *context)
{
	struct leftover *leftover = context;

	vg_leaving_decide(&leftover->leaving, &leftover->threads);
	return NULL;
}

/* Step 4. */
static struct vg_error *stop_and_look(struct leftover *leftover)
{
	_cleanup_(vg_ranges_clear) struct vg_ranges ranges = {0};
	_cleanup_free_ struct vg_code_area *areas = NULL;
	struct vg_stop_request request = {.leaving = &leftover->leaving,
					  .commit = decide,
					  .context = leftover,
					  .hooks = &leftover->threads};

	VG_TRY(vg_ranges_revert(leftover->installed, &ranges));
	VG_TRY(vg_ranges_patch_areas(leftover->installed, &areas, &request.area_count));
	request.ranges = ranges.ranges;
	request.range_count = ranges.count;
	request.areas = areas;
	/* What was just taken out is worth the time allowed; what stayed before gets one answer. */
	return vg_quiesce(leftover->session, &request, leftover->installed->state == VGA_RETIRED);
}

static struct vg_error *take_verdict(struct leftover *leftover,
				     const struct vg_leaving_patch *patch)
{
	if (patch->verdict == VG_LEAVING_FREE)
		return vg_install_remove(leftover->session, leftover->installed);
	return stays(leftover, strdup(patch->why ? patch->why : "nobody could look at its users"));
}

/* Steps 3 to 5. */
static struct vg_error *look(struct leftover *leftover)
{
	VG_TRY(look_while_running(leftover));
	if (leftover->why)
		return NULL;
	vg_session_track(leftover->session);
	VG_TRY(keep_out_of_stop(leftover));
	if (leftover->why)
		return NULL;
	VG_TRY(stop_and_look(leftover));
	return take_verdict(leftover, &leftover->leaving.patches[0]);
}

static struct vg_error *look_everywhere(struct leftover *leftover)
{
	const struct vg_leaving_patch *decided = NULL;

	VG_TRY(look_for_dependents(leftover));
	if (leftover->why)
		return NULL;
	if (leftover->decided)
		decided = vg_leaving_find(leftover->decided,
					  leftover->installed->areas[0].header.area_address);
	if (decided && decided->verdict != VG_LEAVING_UNDECIDED)
		return take_verdict(leftover, decided);
	return look(leftover);
}

static struct vg_error *retire(struct leftover *leftover, bool again)
{
	const struct vg_installed *installed = leftover->installed;

	if (again)
		return NULL;
	vg_result_note(leftover->session->result,
		       "the memory of patch %s, which is out, stays mapped: %s; the next apply or "
		       "revert looks again",
		       vg_installed_name(installed), leftover->why);
	return vg_switch_state(&leftover->session->target.memory,
			       installed->areas[0].header.area_address, VGA_RETIRED);
}

/* *stayed: it is still mapped. */
static struct vg_error *give_back_one(struct vg_session *session,
				      const struct vg_installed *installed,
				      const struct vg_leaving *decided, bool *stayed)
{
	_cleanup_(clear) struct leftover leftover = {.session = session,
						     .installed = installed,
						     .decided = decided,
						     .leaving = VG_LEAVING_NONE};
	struct vg_error *error = look_everywhere(&leftover);

	if (error) {
		vg_result_forget_blockers(session->result);
		free(leftover.why);
		leftover.why = strdup(vg_error_text(error));
		vg_error_free(error);
	}
	if (!vg_live_target_is_alive(&session->target))
		return vg_error_new(VG_FAILED, "process %d ended meanwhile", session->target.pid);
	*stayed = leftover.why;
	return leftover.why ? retire(&leftover, installed->state == VGA_RETIRED) : NULL;
}

static bool is_out(const struct vg_installed *installed)
{
	return installed->state == VGA_DISARMED || installed->state == VGA_RETIRED;
}

/* Was it to be unmapped? */
static bool is_free(const struct vg_leaving *decided, const struct vg_installed *installed)
{
	const struct vg_leaving_patch *patch =
		decided ? vg_leaving_find(decided, installed->areas[0].header.area_address) : NULL;

	return patch && patch->verdict == VG_LEAVING_FREE;
}

struct vg_error *vg_give_back(struct vg_session *session, const struct vg_leaving *leaving)
{
	VG_TRY(vg_session_look(session));
	/* Whatever happens to one, those below keep their places. */
	for (size_t i = session->areas.count; i-- > 0;) {
		const struct vg_installed *installed = &session->areas.patches[i];
		bool was_free, stayed;

		if (!is_out(installed))
			continue;
		was_free = is_free(leaving, installed);
		VG_TRY(give_back_one(session, installed, leaving, &stayed));
		/* The others were judged as if its variables were gone. */
		if (was_free && stayed)
			leaving = NULL;
		VG_TRY(vg_session_look(session));
	}
	return NULL;
}
