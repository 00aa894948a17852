/* SPDX-License-Identifier: MIT */
#include "patcher/recovery.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "patcher/hook.h"
#include "patcher/install.h"
#include "patcher/quiesce.h"
#include "patcher/ranges.h"
#include "patcher/replace.h"
#include "patcher/result.h"
#include "patcher/retire.h"
#include "patcher/switch.h"

struct commit {
	struct vg_session *session;
	struct vg_installed *installed;
	struct vg_hooks hooks;
	uint64_t *segments;
	bool was_applied; /* switched off by a revert: post-revert hooks run */
	struct vg_leaving *leaving;
};

static void clear_commit(struct commit *commit)
{
	free(commit->segments);
}

/* Addresses of the TEXT segments, where hooks lie. */
static struct vg_error *prepare_hooks(struct commit *commit)
{
	const struct vg_patch *object = commit->installed->object;

	if (!object || !object->hook_count)
		return NULL;
	commit->segments = calloc(object->segment_count, sizeof(*commit->segments));
	if (!commit->segments)
		return vg_error_new(VG_FAILED, "out of memory for the hooks of a patch");
	for (size_t i = 0; i < object->segment_count; i++)
		if (object->segments[i].kind == VGP_TEXT)
			commit->segments[i] = vg_installed_segment(commit->installed, (uint32_t)i);
	return vg_hooks_prepare(commit->session, object, commit->segments, &commit->hooks);
}

static struct vg_error *set_state(struct commit *commit, enum vga_state state)
{
	return vg_switch_state(&commit->session->target.memory,
			       commit->installed->areas[0].header.area_address, state);
}

/* A run that was killed in its post-apply hooks, or before them, is followed by them again. */
static struct vg_error *finish_on(void *context)
{
	struct commit *commit = context;
	enum vga_state state = commit->installed->state;
	bool has_post = (state == VGA_ARMING || state == VGA_POST_APPLY) &&
			vg_hooks_has(commit->installed->object, VGP_POST_APPLY);

	if (has_post)
		VG_TRY(vg_hooks_can_run(&commit->hooks));
	VG_TRY(vg_switch_finish_on(&commit->session->target.memory, commit->installed,
				   &commit->session->areas,
				   has_post ? VGA_POST_APPLY : VGA_APPLIED));
	if (!has_post)
		return NULL;
	vg_hooks_run_post(&commit->hooks, VGP_POST_APPLY);
	return set_state(commit, VGA_APPLIED);
}

/* After a veto the patch stays applied. */
static struct vg_error *run_pre_revert(struct commit *commit)
{
	struct vg_error *error;

	if (!vg_hooks_has(commit->installed->object, VGP_PRE_REVERT))
		return NULL;
	VG_TRY(set_state(commit, VGA_PRE_REVERT));
	error = vg_hooks_run_pre(&commit->hooks, VGP_PRE_REVERT);
	if (!error || vg_error_code(error) == VG_FAILED)
		return error;
	vg_error_free(set_state(commit, VGA_APPLIED));
	return error;
}

/* The patches that it was to replace may be tied to its switch word (replace.h). */
static bool is_unfinished_replacement(const struct vg_installed *installed)
{
	return installed->state == VGA_ARMING && vg_patch_replaces(installed->object);
}

static struct vg_error *switch_by_state(struct commit *commit, enum vga_state off)
{
	const struct vg_memory *memory = &commit->session->target.memory;
	struct vg_areas *areas = &commit->session->areas;

	if (commit->installed->on)
		return vg_switch_off(memory, commit->installed, areas, off);
	if (is_unfinished_replacement(commit->installed))
		VG_TRY(vg_replace_untie(memory, areas));
	if (vg_installed_is_linked(commit->installed))
		return vg_switch_finish_off(memory, commit->installed, areas, off);
	/* Killed in a hook before arming, or after everything was restored. */
	return set_state(commit, off);
}

static struct vg_error *run_hooks_and_switch(struct commit *commit)
{
	bool has_post =
		commit->was_applied && vg_hooks_has(commit->installed->object, VGP_POST_REVERT);

	if (has_post ||
	    (commit->installed->on && vg_hooks_has(commit->installed->object, VGP_PRE_REVERT)))
		VG_TRY(vg_hooks_can_run(&commit->hooks));
	if (commit->installed->on)
		VG_TRY(run_pre_revert(commit));
	VG_TRY(switch_by_state(commit, has_post ? VGA_POST_REVERT : VGA_DISARMED));
	if (!has_post)
		return NULL;
	vg_hooks_run_post(&commit->hooks, VGP_POST_REVERT);
	return set_state(commit, VGA_DISARMED);
}

static struct vg_error *switch_off(void *context)
{
	struct commit *commit = context;

	VG_TRY(run_hooks_and_switch(commit));
	vg_leaving_decide(commit->leaving, &commit->hooks.stop);
	return NULL;
}

/* The entries of a patch, which are about to be written. */
static struct vg_error *list_entries(const struct vg_installed *installed,
				     struct vg_replace_check *check)
{
	for (size_t a = 0; a < installed->area_count; a++)
		for (size_t i = 0; i < installed->areas[a].header.function_count; i++)
			VG_TRY(vg_replace_check_entries(
				check, &installed->areas[a].functions[i].entry, 1));
	return NULL;
}

static struct vg_error *list_areas(const struct vg_installed *installed,
				   struct vg_replace_check *check)
{
	_cleanup_free_ struct vg_code_area *areas = NULL;
	size_t count;

	VG_TRY(vg_ranges_patch_areas(installed, &areas, &count));
	return vg_replace_check_areas(check, areas, count);
}

/* Nothing else makes the stop of a revert longer than that of an apply. */
static struct vg_error *prepare_leaving(struct vg_session *session,
					const struct vg_installed *installed,
					struct vg_leaving *leaving)
{
	leaving->session = session;
	leaving->is_brief = true;
	vg_session_track(session);
	return vg_leaving_add(leaving, installed);
}

static struct vg_error *stop_and_switch_off(struct vg_session *session,
					    struct vg_installed *installed,
					    struct vg_leaving *leaving)
{
	_cleanup_(vg_ranges_clear) struct vg_ranges ranges = {0};
	_cleanup_(vg_replace_check_clear) struct vg_replace_check check = {0};
	_cleanup_(clear_commit) struct commit commit = {
		.session = session,
		.installed = installed,
		.leaving = leaving,
		.was_applied = installed->on || installed->state == VGA_REVERTING ||
			       installed->state == VGA_POST_REVERT};
	struct vg_stop_request request = {.leaving = leaving,
					  .commit = switch_off,
					  .context = &commit,
					  .hooks = &commit.hooks.stop};

	VG_TRY(prepare_leaving(session, installed, leaving));
	VG_TRY(prepare_hooks(&commit));
	VG_TRY(vg_ranges_revert(installed, &ranges));
	VG_TRY(list_entries(installed, &check));
	VG_TRY(list_areas(installed, &check));
	if (is_unfinished_replacement(installed))
		VG_TRY(vg_replace_prepare_untie(&session->areas, &check));
	request.ranges = ranges.ranges;
	request.range_count = ranges.count;
	vg_replace_check_request(&check, &request);
	return vg_quiesce(session, &request, false);
}

struct vg_error *vg_take_out(struct vg_session *session, struct vg_installed *installed)
{
	_cleanup_(vg_leaving_clear) struct vg_leaving leaving = VG_LEAVING_NONE;

	VG_TRY(stop_and_switch_off(session, installed, &leaving));
	/* The old code runs: from here on only memory is left to be given back. */
	return vg_give_back(session, &leaving);
}

/* Nothing of it ever ran. */
static bool is_unused(const struct vg_installed *installed)
{
	return installed->state == VGA_MAPPED || installed->state == VGA_READY;
}

/* The new code runs; a hook that a killed run began must be over before the patch is settled. */
static struct vg_error *complete(struct vg_session *session, struct vg_installed *installed)
{
	_cleanup_(vg_replace_check_clear) struct vg_replace_check check = {0};
	_cleanup_(clear_commit) struct commit commit = {.session = session, .installed = installed};
	struct vg_stop_request request = {
		.commit = finish_on, .context = &commit, .hooks = &commit.hooks.stop};

	VG_TRY(prepare_hooks(&commit));
	if (vg_installed_may_run_hook(installed))
		VG_TRY(vg_ranges_hooks(installed, &check.ranges));
	if (is_unfinished_replacement(installed))
		VG_TRY(vg_replace_prepare(&session->areas, &check));
	request.ranges = check.ranges.ranges;
	request.range_count = check.ranges.count;
	vg_replace_check_request(&check, &request);
	return vg_quiesce(session, &request, false);
}

static struct vg_error *recover_one(struct vg_session *session, struct vg_installed *installed)
{
	session->result->recovered = true;
	if (installed->state == VGA_REPLACED)
		return vg_error_new(VG_FAILED,
				    "patch %s in process %d is tied to a patch that was to replace "
				    "it and is gone; restart the target to be rid of it",
				    vg_installed_name(installed), session->target.pid);
	if (installed->state == VGA_DISARMED) {
		vg_result_note(session->result,
			       "an interrupted run had left patch %s out, but its memory behind",
			       vg_installed_name(installed));
		return vg_give_back(session, NULL);
	}
	if (is_unused(installed)) {
		vg_result_note(session->result,
			       "an interrupted run had left patch %s unfinished; it was removed",
			       vg_installed_name(installed));
		VG_TRY(vg_install_remove(session, installed));
		return vg_session_look(session);
	}
	if (!installed->on) {
		vg_result_note(
			session->result,
			"an interrupted run had left patch %s switched off; it was taken out",
			vg_installed_name(installed));
		return vg_take_out(session, installed);
	}
	vg_result_note(session->result,
		       "an interrupted run had left patch %s switched on; it was completed",
		       vg_installed_name(installed));
	VG_TRY(complete(session, installed));
	return vg_session_look(session);
}

/* The newest that is not as it should be, or NULL. What is retired is looked at in the end. */
static struct vg_installed *find_interrupted(struct vg_session *session)
{
	for (size_t i = session->areas.count; i-- > 0;)
		if (session->areas.patches[i].state != VGA_APPLIED &&
		    session->areas.patches[i].state != VGA_RETIRED)
			return &session->areas.patches[i];
	return NULL;
}

static bool has_retired(const struct vg_session *session)
{
	for (size_t i = 0; i < session->areas.count; i++)
		if (session->areas.patches[i].state == VGA_RETIRED)
			return true;
	return false;
}

/* Best effort: what stays does nothing. */
static void close_descriptor(struct vg_session *session)
{
	bool closed;

	vg_error_free(vg_session_untrack(session, &closed));
	if (!closed)
		return;
	session->result->recovered = true;
	vg_result_note(session->result,
		       "an interrupted run had left a userfaultfd in the target; it was closed");
}

struct vg_error *vg_recover(struct vg_session *session)
{
	struct vg_installed *installed;

	close_descriptor(session);
	if (session->areas.orphan_count) {
		session->result->recovered = true;
		vg_result_note(session->result,
			       "an interrupted run had left memory behind; it was given back");
		VG_TRY(vg_install_unmap(session, session->areas.orphans,
					session->areas.orphan_count));
		VG_TRY(vg_session_look(session));
	}
	while ((installed = find_interrupted(session)))
		VG_TRY(recover_one(session, installed));
	return has_retired(session) ? vg_give_back(session, NULL) : NULL;
}
