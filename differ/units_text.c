/* SPDX-License-Identifier: MIT */
/* A unit's text before the change, as its compiler sees it behind the preprocessor. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/units.h"

static const struct vg_planned_unit *planned_unit(const struct vg_unit_plan *plan,
						  const struct vg_unit *unit)
{
	for (size_t i = 0; plan && i < plan->count; i++)
		if (!strcmp(plan->units[i].pre_object, unit->pre_object))
			return &plan->units[i];
	return NULL;
}

static struct vg_error *run(const struct vg_unit_plan *plan, const struct vg_planned_unit *unit,
			    struct vg_job *job, const char *output)
{
	job->directory = vg_format("%s%s", plan->pre.root, unit->command->directory);
	job->log = vg_format("%s.log", output);
	if (!job->directory || !job->log)
		return vg_error_no_memory();
	VG_TRY(vg_compile_flags_command(&unit->flags, &plan->pre, VG_COMPILE_TEXT, NULL, output,
					NULL, &job->command));
	return vg_jobs_run(job, 1, plan->temp);
}

struct vg_error *vg_units_text(const struct vg_units *units, const struct vg_unit *unit,
			       char **text)
{
	const struct vg_planned_unit *planned = planned_unit(units ? units->plan : NULL, unit);
	_cleanup_free_ char *output = planned ? vg_format("%s.i", unit->pre_object) : NULL;
	struct vg_job job = {0};
	struct vg_error *error;
	size_t size;

	*text = NULL;
	if (!planned)
		return NULL;
	error = output ? run(units->plan, planned, &job, output) : vg_error_no_memory();
	if (!error && vg_job_succeeded(&job))
		error = vg_read_file(output, VG_FAILED, text, &size);
	vg_job_clear(&job);
	return error;
}
