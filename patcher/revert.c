/* SPDX-License-Identifier: MIT */
/*
 * Revert.
 *
 *  1. Open, lock, look, recover.
 *  2. May it come out? Not while a patch that depends on it is applied, nor while somebody else's
 *     jump stands at an entry.
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
#include "patcher/chain.h"
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

/* The module that the patch was put into, and not another one that came to lie there. */
static bool is_same_module(const struct vg_session *session, const struct vg_area *area,
			   const struct vg_patch *object, uint64_t address)
{
	const struct vg_module *module = vg_modules_at(&session->modules, address);
	const struct vgp_module *patched = &object->modules[area->header.module];

	return module && module->bias == area->header.load_bias &&
	       module->build_id_bytes == patched->build_id_bytes &&
	       memcmp(module->build_id, patched->build_id, patched->build_id_bytes) == 0;
}

/* Neither our jump nor what its file has: another tool's jump, which may come back through ours. */
static bool is_foreign(const struct vg_session *session, const struct vg_area *area,
		       const struct vg_patch *object, const struct vga_function *record)
{
	const struct vgp_function *function = &object->functions[record->function];
	uint8_t now[VGP_JUMP_BYTES];
	struct vg_link top;

	return vg_chain_top(&session->areas, record->entry, &top) &&
	       vg_link_record(&top) == record &&
	       is_same_module(session, area, object, record->entry) &&
	       vg_memory_read_some(&session->target.memory, record->entry, now, sizeof(now)) ==
		       sizeof(now) &&
	       memcmp(now + 1, function->entry + 1, sizeof(now) - 1) != 0 &&
	       !vg_chain_is_jump_to(record, now);
}

static struct vg_error *check_entries(const struct vg_session *session,
				      const struct vg_installed *installed)
{
	const struct vg_patch *object = installed->object;

	for (size_t a = 0; object && a < installed->area_count; a++)
		for (size_t i = 0; i < installed->areas[a].header.function_count; i++) {
			const struct vg_area *area = &installed->areas[a];
			const struct vga_function *record = &area->functions[i];

			if (is_foreign(session, area, object, record))
				return vg_error_new(
					VG_REFUSED,
					"the entry of %s in process %d was changed by somebody "
					"else since patch %s was applied; take that out first",
					vg_patch_string(object,
							object->functions[record->function].name),
					session->target.pid, vg_installed_name(installed));
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
	VG_TRY(check_entries(session, installed));
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
