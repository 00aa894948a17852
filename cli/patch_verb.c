/* SPDX-License-Identifier: MIT */
#include "cli/patch_verb.h"

#include "cli/report.h"
#include "common/cleanup.h"
#include "common/patch_object.h"

static struct vg_error *open_and_select(const struct vg_targets *targets, struct vg_patch **patch,
					pid_t **pids, size_t *count)
{
	VG_TRY(vg_patch_open(targets->subject, patch));
	if (targets->all)
		return vg_find_targets(*patch, pids, count);
	return vg_list_pids(&targets->pid_texts, pids, count);
}

int vg_patch_verb(int argc, char **argv, const char *usage, vg_target_verb verb)
{
	_cleanup_(vg_targets_clear) struct vg_targets targets = {.usage = usage};
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = NULL;
	_cleanup_free_ pid_t *pids = NULL;
	size_t count;
	int code = vg_targets_parse(&targets, argc, argv);

	if (code >= 0)
		return code;
	struct vg_error *error = open_and_select(&targets, &patch, &pids, &count);
	if (error)
		return vg_targets_fail(&targets, error);
	return vg_targets_run(&targets, pids, count, verb, patch, patch);
}
