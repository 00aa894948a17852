/* SPDX-License-Identifier: MIT */
#include "patcher/recovery.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "patcher/install.h"
#include "patcher/quiesce.h"
#include "patcher/ranges.h"
#include "patcher/result.h"
#include "patcher/switch.h"

struct commit {
	struct vg_session *session;
	struct vg_installed *installed;
};

static struct vg_error *finish_on(void *context)
{
	struct commit *commit = context;

	return vg_switch_finish_on(&commit->session->target.memory, commit->installed);
}

static struct vg_error *switch_off(void *context)
{
	struct commit *commit = context;
	const struct vg_memory *memory = &commit->session->target.memory;

	if (!commit->installed->on)
		return vg_switch_finish_off(memory, commit->installed, &commit->session->areas);
	return vg_switch_off(memory, commit->installed, &commit->session->areas);
}

/* The entries of a patch, which are about to be written. */
static struct vg_error *list_entries(const struct vg_installed *installed, uint64_t **entries,
				     size_t *count)
{
	size_t most = 0;

	for (size_t a = 0; a < installed->area_count; a++)
		most += installed->areas[a].header.function_count;
	*entries = calloc(most + 1, sizeof(**entries));
	if (!*entries)
		return vg_error_new(VG_FAILED, "out of memory for the entries of a patch");
	for (size_t a = 0; a < installed->area_count; a++)
		for (size_t i = 0; i < installed->areas[a].header.function_count; i++)
			(*entries)[(*count)++] = installed->areas[a].functions[i].entry;
	return NULL;
}

static struct vg_error *stop_and_switch_off(struct vg_session *session,
					    struct vg_installed *installed)
{
	_cleanup_(vg_ranges_clear) struct vg_ranges ranges = {0};
	_cleanup_free_ struct vg_code_area *areas = NULL;
	_cleanup_free_ uint64_t *entries = NULL;
	struct commit commit = {.session = session, .installed = installed};
	struct vg_stop_request request = {.commit = switch_off, .context = &commit};

	VG_TRY(list_entries(installed, &entries, &request.entry_count));
	VG_TRY(vg_ranges_revert(installed, &ranges));
	VG_TRY(vg_ranges_patch_areas(installed, &areas, &request.area_count));
	request.entries = entries;
	request.ranges = ranges.ranges;
	request.range_count = ranges.count;
	request.areas = areas;
	return vg_quiesce(session, &request, false);
}

struct vg_error *vg_take_out(struct vg_session *session, struct vg_installed *installed)
{
	VG_TRY(stop_and_switch_off(session, installed));

	/* The old code runs: from here on only memory is left to be given back. */
	struct vg_error *error = vg_install_remove(session, installed);

	if (error)
		vg_result_note(session->result,
			       "patch %s is out, but its memory could not be given back now (%s); "
			       "the next apply or revert does it",
			       vg_installed_name(installed), vg_error_text(error));
	vg_error_free(error);
	return vg_session_look(session);
}

static bool is_unreachable(const struct vg_installed *installed)
{
	return !vg_installed_is_linked(installed);
}

static struct vg_error *recover_one(struct vg_session *session, struct vg_installed *installed)
{
	struct commit commit = {.session = session, .installed = installed};
	struct vg_stop_request request = {.commit = finish_on, .context = &commit};

	session->result->recovered = true;
	if (is_unreachable(installed)) {
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
	VG_TRY(vg_quiesce(session, &request, false));
	return vg_session_look(session);
}

/* The newest that is not as it should be, or NULL. */
static struct vg_installed *find_interrupted(struct vg_session *session)
{
	for (size_t i = session->areas.count; i-- > 0;)
		if (session->areas.patches[i].state != VGA_APPLIED)
			return &session->areas.patches[i];
	return NULL;
}

struct vg_error *vg_recover(struct vg_session *session)
{
	struct vg_installed *installed;

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
	return NULL;
}
