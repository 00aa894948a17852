/* SPDX-License-Identifier: MIT */
/*
 * Source lines for --explain. Post objects are compiled with line numbers that are synchronised
 * with the tree, so a number in them may mean two lines of the patched file. The patched source is
 * compiled once more as it stands: the same code, under its own numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/units.h"

static struct vg_error *compile_unit(struct vg_unit_plan *plan, struct vg_planned_unit *unit,
				     struct vg_job *job)
{
	job->directory = vg_format("%s%s", plan->post.root, unit->command->directory);
	job->log = vg_format("%s.lined.log", unit->post_object);
	unit->lined_object = vg_format("%s.lined.o", unit->post_object);
	if (!job->directory || !job->log || !unit->lined_object)
		return vg_error_no_memory();
	return vg_compile_flags_command(&unit->flags, &plan->post, VG_COMPILE_SECTIONS,
					unit->post_input, unit->lined_object, NULL, &job->command);
}

static struct vg_error *compile_all(struct vg_unit_plan *plan, struct vg_job *jobs)
{
	for (size_t i = 0; i < plan->count; i++)
		VG_TRY(compile_unit(plan, &plan->units[i], &jobs[i]));
	VG_TRY(vg_jobs_run(jobs, plan->count, plan->temp));
	for (size_t i = 0; i < plan->count; i++)
		if (!vg_job_succeeded(&jobs[i])) {
			free(plan->units[i].lined_object);
			plan->units[i].lined_object = NULL;
		}
	return NULL;
}

struct vg_error *vg_units_compile_lined(struct vg_unit_plan *plan)
{
	struct vg_job *jobs = calloc(plan->count + 1, sizeof(*jobs));

	if (!jobs)
		return vg_error_no_memory();

	struct vg_error *error = vg_units_write_patched(plan, false);

	if (!error)
		error = compile_all(plan, jobs);
	for (size_t i = 0; i < plan->count; i++)
		vg_job_clear(&jobs[i]);
	free(jobs);
	return error ?: vg_units_write_patched(plan, true);
}

static char *nth_line(const char *text, size_t size, unsigned line)
{
	const char *end = text + size, *next = text;

	for (unsigned i = 1; i < line && next; i++) {
		next = memchr(next, '\n', end - next);
		if (next)
			next++;
	}
	if (!next || next >= end)
		return NULL;
	next += strspn(next, " \t");
	return strndup(next, strcspn(next, "\r\n"));
}

char *vg_units_source_line(const struct vg_units *units, bool post, const char *file, unsigned line)
{
	const struct vg_source_tree *tree = units->plan ? &units->plan->tree : NULL;
	const struct vg_touched *touched = tree ? vg_source_tree_by_path(tree, file) : NULL;
	_cleanup_free_ char *path = NULL, *bytes = NULL;
	struct vg_error *error;
	size_t size;

	if (!tree || !line)
		return NULL;
	if (touched && post) {
		error = vg_text_render(&touched->text, &bytes, &size);
	} else {
		path = vg_path_join(tree->root, file);
		error = path ? vg_read_file(path, VG_FAILED, &bytes, &size) : vg_error_no_memory();
	}
	vg_error_free(error); /* it was read before; a line less is no failure */
	return error ? NULL : nth_line(bytes, size, line);
}
