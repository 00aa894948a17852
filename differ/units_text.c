/* SPDX-License-Identifier: MIT */
/* A unit's text before and after the change, as its compiler sees it behind the preprocessor. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/dependencies.h"
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
			    bool post, struct vg_job *job, const char *output)
{
	const struct vg_shadow *shadow = post ? &plan->post : &plan->pre;

	job->directory = vg_format("%s%s", shadow->root, unit->command->directory);
	job->log = vg_format("%s.log", output);
	if (!job->directory || !job->log)
		return vg_error_no_memory();
	VG_TRY(vg_compile_flags_command(&unit->flags, shadow, VG_COMPILE_TEXT, NULL, output, NULL,
					&job->command));
	return vg_jobs_run(job, 1, plan->temp);
}

struct vg_error *vg_units_text(const struct vg_units *units, const struct vg_unit *unit, bool post,
			       char **text)
{
	const struct vg_planned_unit *planned = planned_unit(units ? units->plan : NULL, unit);
	_cleanup_free_ char *output =
		planned ? vg_format("%s.i", post ? unit->post_object : unit->pre_object) : NULL;
	struct vg_job job = {0};
	struct vg_error *error;
	size_t size;

	*text = NULL;
	if (!planned)
		return NULL;
	error = output ? run(units->plan, planned, post, &job, output) : vg_error_no_memory();
	if (!error && vg_job_succeeded(&job))
		error = vg_read_file(output, VG_FAILED, text, &size);
	vg_job_clear(&job);
	return error;
}

static bool does_file_hold(const char *path, const char *const *words)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	vg_error_free(vg_read_file(path, VG_FAILED, &text, &size));
	for (; text && *words; words++)
		if (memmem(text, size, *words, strlen(*words)))
			return true;
	return false;
}

/* A touched file has a patched copy in the shadow and lies in the tree as it was. */
static bool does_either_hold(const struct vg_unit_plan *plan, const struct vg_planned_unit *unit,
			     const char *read, const char *const *words)
{
	const char *root = plan->post.root;
	_cleanup_free_ char *path = vg_path_join(
		unit->command->directory, vg_starts_with(read, root) ? read + strlen(root) : read);
	_cleanup_free_ char *copy = path ? vg_format("%s%s", root, path) : NULL;

	return !copy || does_file_hold(path, words) || does_file_hold(copy, words);
}

struct vg_error *vg_units_read_words(const struct vg_units *units, const struct vg_unit *unit,
				     const char *const *words, bool *found)
{
	const struct vg_planned_unit *planned = planned_unit(units ? units->plan : NULL, unit);
	_cleanup_(vg_words_clear) struct vg_words read = {0};
	_cleanup_free_ char *rule = NULL;
	size_t size;

	*found = false;
	if (!planned)
		return NULL;
	VG_TRY(vg_read_file(planned->dependencies, VG_FAILED, &rule, &size));
	vg_make_rule_parse(rule, &read);
	VG_TRY(vg_words_check(&read));
	for (size_t i = 0; i < read.count && !*found; i++)
		*found = does_either_hold(units->plan, planned, read.items[i], words);
	return NULL;
}
