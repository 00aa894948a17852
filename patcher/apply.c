/* SPDX-License-Identifier: MIT */
/*
 * Apply and check.
 *
 *  1. Open, lock, look. Recover what an interrupted run left (check: does not).
 *  2. May it go in? The same patch already there, dependencies, functions of other patches.
 *  3. Plan: the areas, complete, in the tool's memory.
 *  4. Map them in the target (one thread held), header first: journal MAPPED.
 *  5. Write the content, read it back: journal READY. Entries' pages made private.
 *  6. The stop: all threads safe, then the shadow variables of patches that are replaced
 *     (shadows.h) and pre-apply hooks (journal PRE_APPLY; a veto ends it), then switch on
 *     (switch.h): ARMING, switch word, then post-apply hooks (POST_APPLY), APPLIED.
 *  7. If there was no safe point, or anything went wrong: unmap what 4 mapped.
 *  8. A patch that replaces all others (replace.h): give their memory back.
 *
 * A check makes 1 to 3 and a stop without a commit, and writes nothing.
 */
#include <vgraft/patcher.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/patch_object.h"
#include "patcher/chain.h"
#include "patcher/hook.h"
#include "patcher/install.h"
#include "patcher/perf_map.h"
#include "patcher/plan.h"
#include "patcher/quiesce.h"
#include "patcher/ranges.h"
#include "patcher/recovery.h"
#include "patcher/replace.h"
#include "patcher/result.h"
#include "patcher/retire.h"
#include "patcher/shadows.h"
#include "patcher/switch.h"

#define MAP_TRIES 5

static bool is_same_patch(const struct vg_installed *installed, const struct vg_patch *patch)
{
	return memcmp(installed->areas[0].header.checksum, patch->header->checksum,
		      sizeof(patch->header->checksum)) == 0;
}

/* What can't be is said before anything is touched. */
static struct vg_error *check_supported(const struct vg_patch *patch)
{
	if (vg_patch_replaces(patch) && patch->depend_count)
		return vg_error_new(VG_REFUSED,
				    "patch %s replaces all others (--replace), so it can't depend "
				    "on patch %s; build it without --depends",
				    vg_patch_name(patch),
				    vg_patch_string(patch, patch->depends[0]));
	if (!patch->module_count)
		return vg_error_new(VG_REFUSED, "patch %s is for no module", vg_patch_name(patch));
	return NULL;
}

static struct vg_error *check_depends(struct vg_session *session, const struct vg_patch *patch)
{
	for (size_t i = 0; i < patch->depend_count; i++) {
		const char *name = vg_patch_string(patch, patch->depends[i]);
		const struct vg_installed *installed = vg_session_find(session, name);

		if (!installed || !vg_installed_is_linked(installed))
			return vg_error_new(VG_REFUSED,
					    "patch %s depends on patch %s, which is not applied to "
					    "process %d; apply that first",
					    vg_patch_name(patch), name, session->target.pid);
	}
	return NULL;
}

/* A function that a patch which is not named by --depends has changed. */
static void note_hidden(struct vg_session *session, const struct vg_plan *plan)
{
	const struct vg_patch *patch = plan->patch;
	struct vg_link top;

	for (size_t i = 0; i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];
		uint64_t entry = plan->biases[function->module] + function->old_address;

		if (function->kind != VGP_CHANGED || !vg_chain_top(&session->areas, entry, &top) ||
		    vg_patch_depends_on(patch, vg_installed_name(top.installed)))
			continue;
		vg_result_hides(session->result, vg_installed_name(top.installed),
				vg_patch_string(patch, function->name));
	}
}

static struct vg_error *check_hidden(struct vg_session *session, const struct vg_plan *plan)
{
	const struct vg_result *result = session->result;

	/* What is replaced is not hidden. */
	if (vg_patch_replaces(plan->patch))
		return NULL;
	note_hidden(session, plan);
	if (!result->hide_count || !session->options->strict)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "patch %s changes %s, which patch %s has changed too; build it with "
			    "--depends %s, or apply it without --strict",
			    result->patch, result->hides[0].function, result->hides[0].patch,
			    result->hides[0].patch);
}

/* What was patched of a module that was unloaded is gone; loaded again, it has the old code. */
static struct vg_error *check_whole(struct vg_session *session,
				    const struct vg_installed *installed)
{
	if (vg_chain_is_whole(&session->target.memory, &session->areas, installed))
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "patch %s is applied to process %d, but a module that it changed was "
			    "unloaded since, or changed by somebody else; revert it, and apply it "
			    "again",
			    vg_installed_name(installed), session->target.pid);
}

/* Step 2. *already: there is nothing to do. */
static struct vg_error *check_state(struct vg_session *session, const struct vg_patch *patch,
				    bool *already)
{
	const struct vg_installed *installed = vg_session_find(session, vg_patch_name(patch));

	*already = false;
	VG_TRY(check_supported(patch));
	if (installed && vg_installed_is_linked(installed)) {
		*already = is_same_patch(installed, patch);
		if (*already)
			return check_whole(session, installed);
		return vg_error_new(VG_REFUSED,
				    "another patch named %s is applied to process %d; revert it "
				    "first, or build this one under another name",
				    vg_patch_name(patch), session->target.pid);
	}
	return check_depends(session, patch);
}

struct commit {
	const struct vg_memory *memory;
	const struct vg_areas *areas;
	const struct vg_plan *plan;
	struct vg_hooks hooks;
	struct vg_shadows shadows;
	struct vg_leaving *leaving; /* the patches that it replaces */
};

static void clear_commit(struct commit *commit)
{
	vg_shadows_clear(&commit->shadows);
}

/* Before anything is touched. */
static struct vg_error *prepare_commit(struct vg_session *session, const struct vg_plan *plan,
				       struct vg_leaving *leaving, struct commit *commit)
{
	*commit = (struct commit){.memory = &session->target.memory,
				  .areas = &session->areas,
				  .plan = plan,
				  .leaving = leaving};
	return vg_shadows_look(commit->memory, commit->areas, plan->patch, plan->segments,
			       &commit->shadows);
}

/*
 * After a veto the patch is out: a hook may have stored where something of it lies. That is said
 * only if no thread can be in a hook any more; otherwise recovery waits for it.
 */
static struct vg_error *run_pre_hooks(struct commit *commit)
{
	uint64_t primary = commit->plan->areas[VG_PRIMARY_MODULE].address;
	struct vg_error *error;

	if (!vg_hooks_has(commit->plan->patch, VGP_PRE_APPLY))
		return NULL;
	VG_TRY(vg_switch_compare(commit->memory, commit->plan));
	VG_TRY(vg_switch_state(commit->memory, primary, VGA_PRE_APPLY));
	error = vg_hooks_run_pre(&commit->hooks, VGP_PRE_APPLY);
	if (error && vg_error_code(error) == VG_FAILED)
		return error;

	struct vg_error *undo =
		vg_switch_state(commit->memory, primary, error ? VGA_DISARMED : VGA_READY);

	if (error)
		vg_error_free(undo);
	return error ?: undo;
}

static struct vg_error *run_hooks_and_switch(struct commit *commit)
{
	const struct vg_patch *patch = commit->plan->patch;
	bool has_post = vg_hooks_has(patch, VGP_POST_APPLY);

	if (patch->hook_count)
		VG_TRY(vg_hooks_can_run(&commit->hooks));
	VG_TRY(vg_shadows_carry(&commit->shadows));
	commit->leaving->has_written = commit->shadows.live;
	VG_TRY(run_pre_hooks(commit));
	VG_TRY(vg_switch_on(commit->memory, commit->plan, commit->areas,
			    has_post ? VGA_POST_APPLY : VGA_APPLIED));
	if (!has_post)
		return NULL;
	vg_hooks_run_post(&commit->hooks, VGP_POST_APPLY);
	return vg_switch_state(commit->memory, commit->plan->areas[VG_PRIMARY_MODULE].address,
			       VGA_APPLIED);
}

static struct vg_error *switch_on(void *context)
{
	struct commit *commit = context;

	VG_TRY(run_hooks_and_switch(commit));
	vg_leaving_decide(commit->leaving, &commit->hooks.stop);
	return NULL;
}

static struct vg_error *do_nothing(void *context)
{
	(void)context;
	return NULL;
}

/* Their memory is to be given back when they are out. */
static struct vg_error *list_replaced(struct vg_session *session, const struct vg_patch *patch,
				      struct vg_leaving *leaving)
{
	vg_leaving_clear(leaving);
	leaving->session = session;
	leaving->is_brief = true;
	for (size_t i = 0; vg_patch_replaces(patch) && i < session->areas.count; i++)
		if (vg_replace_is_older(&session->areas.patches[i]))
			VG_TRY(vg_leaving_add(leaving, &session->areas.patches[i]));
	if (leaving->count)
		vg_session_track(session);
	return NULL;
}

/* Step 6; `work` is switch_on or do_nothing. */
static struct vg_error *stop(struct vg_session *session, struct commit *commit,
			     struct vg_error *(*work)(void *context), bool once)
{
	_cleanup_(vg_replace_check_clear) struct vg_replace_check check = {0};
	const struct vg_plan *plan = commit->plan;
	struct vg_stop_request request = {
		.leaving = commit->leaving, .commit = work, .context = commit};

	VG_TRY(vg_ranges_apply(plan->patch, plan->biases, &session->target.memory, &session->areas,
			       &check.ranges));
	VG_TRY(vg_replace_check_entries(&check, plan->entries, plan->entry_count));
	if (vg_patch_replaces(plan->patch))
		VG_TRY(vg_replace_prepare(&session->areas, &check));
	VG_TRY(vg_hooks_prepare(session, plan->patch, plan->segments, &commit->hooks));
	request.hooks = &commit->hooks.stop;
	request.ranges = check.ranges.ranges;
	request.range_count = check.ranges.count;
	vg_replace_check_request(&check, &request);
	return vg_quiesce(session, &request, once);
}

/* Step 7. What can't be cleaned up now is left to the next verb, and said. */
static void clean_up(struct vg_session *session)
{
	bool recovered = session->result->recovered;
	size_t notes = session->result->note_count;
	struct vg_error *error = vg_session_look(session);

	session->journal = 0;
	if (!error)
		error = vg_recover(session);
	if (error && vg_live_target_is_alive(&session->target))
		vg_result_note(session->result,
			       "the memory of the patch could not be given back now (%s); the next "
			       "apply or revert does it",
			       vg_error_text(error));
	else
		/* Our own leftovers are nothing to report. */
		while (session->result->note_count > notes)
			free(session->result->notes[--session->result->note_count]);
	session->result->recovered = recovered;
	vg_error_free(error);
}

static void note_shadows(struct vg_session *session, const struct vg_shadows *shadows)
{
	if (!shadows->live)
		return;
	vg_result_note(session->result,
		       shadows->drops ? "shadow variables of replaced patches dropped: %zu"
				      : "shadow variables carried over from replaced patches: %zu",
		       shadows->live);
}

/* Steps 3 to 6. *taken: the target mapped something where the area was to go. */
static struct vg_error *apply_once(struct vg_session *session, const struct vg_patch *patch,
				   struct vg_leaving *leaving, bool *taken)
{
	_cleanup_(vg_plan_clear) struct vg_plan plan = {0};
	_cleanup_(clear_commit) struct commit commit = {0};

	VG_TRY(vg_plan_make(session, patch, &plan));
	if (!session->result->hide_count)
		VG_TRY(check_hidden(session, &plan));
	VG_TRY(prepare_commit(session, &plan, leaving, &commit));
	VG_TRY(vg_install_map(session, &plan, taken));
	if (*taken)
		return NULL;
	VG_TRY(vg_install_fill(session, &plan));
	session->journal = plan.areas[VG_PRIMARY_MODULE].address;
	VG_TRY(list_replaced(session, patch, leaving));
	VG_TRY(stop(session, &commit, switch_on, false));
	note_shadows(session, &commit.shadows);
	return NULL;
}

static struct vg_error *apply_patch(struct vg_session *session, const struct vg_patch *patch,
				    struct vg_leaving *leaving)
{
	bool taken = false;

	for (unsigned i = 0; i < MAP_TRIES; i++) {
		struct vg_error *error = apply_once(session, patch, leaving, &taken);

		if (error || taken)
			clean_up(session);
		if (error || !taken)
			return error;
	}
	return vg_error_new(VG_BUSY,
			    "process %d maps memory faster than a place for the patch can be found",
			    session->target.pid);
}

/* Which patches it takes out, before it does. */
static void note_replaced(struct vg_session *session, const struct vg_patch *patch)
{
	for (size_t i = 0; vg_patch_replaces(patch) && i < session->areas.count; i++)
		if (vg_replace_is_older(&session->areas.patches[i]))
			vg_result_replaced(session->result,
					   vg_installed_name(&session->areas.patches[i]));
}

static struct vg_error *apply(struct vg_session *session, const struct vg_patch *patch, pid_t pid,
			      const struct vg_patch_options *options, struct vg_result *result)
{
	_cleanup_(vg_leaving_clear) struct vg_leaving leaving = VG_LEAVING_NONE;
	bool already;

	VG_TRY(vg_session_open(session, pid, options, result));
	VG_TRY(vg_recover(session));
	VG_TRY(check_state(session, patch, &already));
	result->outcome = VG_OUTCOME_ALREADY;
	if (already)
		return NULL;
	note_replaced(session, patch);
	VG_TRY(apply_patch(session, patch, &leaving));
	result->outcome = VG_OUTCOME_APPLIED;
	return result->replaced_count ? vg_give_back(session, &leaving) : NULL;
}

struct vg_error *vg_apply(const struct vg_patch *patch, pid_t pid,
			  const struct vg_patch_options *options, struct vg_result *result)
{
	struct vg_session session;

	vg_result_start(result, pid, vg_patch_name(patch));

	struct vg_error *error = apply(&session, patch, pid, options, result);

	vg_perf_map_refresh(&session);
	vg_session_close(&session);
	return vg_result_conclude(result, error);
}

/*
 * What an interrupted run left is for apply and revert to recover: a check changes nothing, and
 * what it would find at the entries is not what an apply will find.
 */
static struct vg_error *check_not_interrupted(const struct vg_session *session)
{
	for (size_t i = 0; i < session->areas.count; i++) {
		const struct vg_installed *installed = &session->areas.patches[i];

		if (vg_installed_is_linked(installed) && installed->state != VGA_APPLIED)
			return vg_error_new(VG_REFUSED,
					    "an interrupted run has left patch %s half done in "
					    "process %d; the next apply or revert recovers that, "
					    "check again then",
					    vg_installed_name(installed), session->target.pid);
		if (installed->state == VGA_APPLIED || installed->state == VGA_RETIRED)
			continue;
		vg_result_note(session->result,
			       "an interrupted run has left memory of patch %s behind; apply "
			       "gives it back first",
			       vg_installed_name(installed));
	}
	return NULL;
}

static struct vg_error *check(struct vg_session *session, const struct vg_patch *patch, pid_t pid,
			      const struct vg_patch_options *options, struct vg_result *result)
{
	_cleanup_(vg_plan_clear) struct vg_plan plan = {0};
	_cleanup_(clear_commit) struct commit commit = {0};
	struct vg_leaving none = VG_LEAVING_NONE;
	bool already;

	VG_TRY(vg_session_open(session, pid, options, result));
	VG_TRY(check_not_interrupted(session));
	VG_TRY(check_state(session, patch, &already));
	result->outcome = already ? VG_OUTCOME_ALREADY : VG_OUTCOME_OK;
	if (already)
		return NULL;
	note_replaced(session, patch);
	VG_TRY(vg_plan_make(session, patch, &plan));
	VG_TRY(check_hidden(session, &plan));
	VG_TRY(prepare_commit(session, &plan, &none, &commit));
	return stop(session, &commit, do_nothing, true);
}

struct vg_error *vg_check(const struct vg_patch *patch, pid_t pid,
			  const struct vg_patch_options *options, struct vg_result *result)
{
	struct vg_session session;

	vg_result_start(result, pid, vg_patch_name(patch));

	struct vg_error *error = check(&session, patch, pid, options, result);

	vg_session_close(&session);
	return vg_result_conclude(result, error);
}
