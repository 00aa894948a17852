/* SPDX-License-Identifier: MIT */
/*
 * Revert.
 *
 *  1. Open, lock, look, recover.
 *  2. May it come out? Not while a patch that depends on it is applied.
 *  3. The stop: nobody in the patch's code or stubs; pre-revert hooks (journal PRE_REVERT; a veto
 *     ends it); switch off (switch.h): REVERTING, switch word, out of the chains, post-revert hooks
 *     (POST_REVERT), DISARMED.
 *  4. Unmap (one thread held). Look that the areas are gone.
 *
 * Order among patches does not matter: a patch in the middle of a chain hands what is below it to
 * the one above.
 */
#include <vgraft/patcher.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/patch_object.h"
#include "patcher/perf_map.h"
#include "patcher/recovery.h"
#include "patcher/result.h"

static struct vg_error *check_dependents(const struct vg_session *session, const char *name)
{
	for (size_t i = 0; i < session->areas.count; i++) {
		const struct vg_installed *installed = &session->areas.patches[i];

		if (vg_installed_is_linked(installed) &&
		    vg_patch_depends_on(installed->object, name))
			return vg_error_new(
				VG_REFUSED, "patch %s depends on patch %s; revert %s first",
				vg_installed_name(installed), name, vg_installed_name(installed));
	}
	return NULL;
}

/* The result shows the functions of the patch, which only the target knew. */
static struct vg_error *keep_object(const struct vg_installed *installed, struct vg_result *result)
{
	const struct vg_patch *object = installed->object;

	if (!object)
		return NULL;
	return vg_patch_parse(object->bytes, object->byte_count, "the patch in the target",
			      &result->object);
}

static struct vg_error *check_out(struct vg_session *session, const char *name)
{
	const struct vg_installed *installed = vg_session_find(session, name);

	if (!installed || !vg_installed_is_linked(installed))
		return NULL;
	return vg_error_new(VG_FAILED, "patch %s is still applied to process %d", name,
			    session->target.pid);
}

static struct vg_error *revert(struct vg_session *session, const char *name, pid_t pid,
			       const struct vg_patch_options *options, struct vg_result *result)
{
	struct vg_installed *installed;

	VG_TRY(vg_session_open(session, pid, options, result));
	VG_TRY(vg_recover(session));
	installed = vg_session_find(session, name);
	if (!installed) {
		result->outcome = VG_OUTCOME_ALREADY;
		return NULL;
	}
	VG_TRY(check_dependents(session, name));
	VG_TRY(keep_object(installed, result));
	VG_TRY(vg_take_out(session, installed));
	VG_TRY(check_out(session, name));
	result->outcome = VG_OUTCOME_REVERTED;
	return NULL;
}

struct vg_error *vg_revert(const char *name, pid_t pid, const struct vg_patch_options *options,
			   struct vg_result *result)
{
	struct vg_session session;

	vg_result_start(result, pid, name);

	struct vg_error *error = revert(&session, name, pid, options, result);

	vg_perf_map_refresh(&session);
	vg_session_close(&session);
	return vg_result_conclude(result, error);
}
