/* SPDX-License-Identifier: MIT */
#include "cli/report.h"
#include "cli/targets.h"
#include "cli/verbs.h"
#include "common/cleanup.h"
#include "common/patch_object.h"

static const char usage[] =
	"usage: vgraft revert NAME --pid PID|--all [--timeout S] [--json]\n"
	"\n"
	"Takes a patch out again.\n"
	"\n"
	"  --pid PID          a process; may be repeated, may hold a comma-separated list\n"
	"  --all              every process that has the patch\n"
	"  --timeout S        seconds to look for a safe point (default 10, 0: one attempt)\n"
	"  --suspend-seccomp  suspend the target's filters around injected calls\n"
	"  --json             one object for each process on standard output\n";

static struct vg_error *revert(void *context, pid_t pid, const struct vg_patch_options *options,
			       struct vg_result *result)
{
	return vg_revert(context, pid, options, result);
}

static struct vg_error *select_targets(const struct vg_targets *targets, pid_t **pids,
				       size_t *count)
{
	if (!vg_patch_name_is_valid(targets->subject))
		return vg_error_new(VG_USAGE,
				    "'%s' is not the name of a patch; revert takes the name that "
				    "vgraft status shows, not a file",
				    targets->subject);
	if (targets->all)
		return vg_find_patched(targets->subject, pids, count);
	return vg_list_pids(&targets->pid_texts, pids, count);
}

int vg_verb_revert(int argc, char **argv)
{
	_cleanup_(vg_targets_clear) struct vg_targets targets = {.usage = usage};
	_cleanup_free_ pid_t *pids = NULL;
	size_t count;
	int code = vg_targets_parse(&targets, argc, argv);

	if (code >= 0)
		return code;
	struct vg_error *error = select_targets(&targets, &pids, &count);
	if (error)
		return vg_targets_fail(&targets, error);
	return vg_targets_run(&targets, pids, count, revert, (void *)targets.subject, NULL);
}
