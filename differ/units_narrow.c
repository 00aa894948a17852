/* SPDX-License-Identifier: MIT */
/*
 * Units that include a touched header and cannot be changed by it are not compiled: to preprocess
 * one twice is a tenth of compiling it three times. See declarations.c.
 *
 * The post text must have been made of the patched copies, as units_run.c checks of compilations:
 * a unit that reads a touched file around the shadow, or that cannot be preprocessed, is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/declarations.h"
#include "differ/dependencies.h"
#include "differ/units.h"

#define FEW 4 /* units are compiled without a look */

struct narrow {
	struct vg_unit_plan *plan;
	struct vg_dependencies *dependencies;
	struct vg_job *jobs; /* pre and post for each unit; no command: it is kept */
};

static bool is_touched(const struct vg_unit_plan *plan, const struct vg_planned_unit *unit)
{
	struct stat st;

	return stat(unit->command->path, &st) || vg_source_tree_find(&plan->tree, &st);
}

static char *output_of(const struct vg_unit_plan *plan, size_t unit, const char *what)
{
	return vg_format("%s/out/narrow-%zu-%s", plan->directory, unit, what);
}

static struct vg_error *prepare_job(struct narrow *narrow, size_t number, bool is_post)
{
	struct vg_unit_plan *plan = narrow->plan;
	const struct vg_planned_unit *unit = &plan->units[number];
	const struct vg_shadow *shadow = is_post ? &plan->post : &plan->pre;
	struct vg_job *job = &narrow->jobs[2 * number + is_post];
	_cleanup_free_ char *output = output_of(plan, number, is_post ? "post.i" : "pre.i");
	_cleanup_free_ char *read = output_of(plan, number, "post.d");

	job->directory = vg_format("%s%s", shadow->root, unit->command->directory);
	job->log = output_of(plan, number, is_post ? "post.log" : "pre.log");
	if (!output || !read || !job->directory || !job->log)
		return vg_error_no_memory();
	return vg_compile_flags_command(&unit->flags, shadow, VG_COMPILE_TEXT, NULL, output,
					is_post ? read : NULL, &job->command);
}

static struct vg_error *prepare(struct narrow *narrow)
{
	for (size_t i = 0; i < narrow->plan->count; i++) {
		if (is_touched(narrow->plan, &narrow->plan->units[i]))
			continue;
		VG_TRY(prepare_job(narrow, i, false));
		VG_TRY(prepare_job(narrow, i, true));
	}
	return NULL;
}

static struct vg_error *run(struct narrow *narrow)
{
	size_t count = 0, room = 2 * narrow->plan->count;
	struct vg_job *list = calloc(room + 1, sizeof(*list));
	struct vg_error *error;

	if (!list)
		return vg_error_no_memory();
	for (size_t i = 0; i < room; i++)
		if (narrow->jobs[i].command.count)
			list[count++] = narrow->jobs[i];
	error = vg_jobs_run(list, count, narrow->plan->temp);
	for (size_t i = 0, next = 0; i < room; i++)
		if (narrow->jobs[i].command.count)
			narrow->jobs[i].status = list[next++].status;
	free(list);
	return error;
}

/* Did the post text come from patched copies only, and from one at least? */
static struct vg_error *is_from_copies(struct narrow *narrow, size_t number, bool *copies)
{
	struct vg_unit_plan *plan = narrow->plan;
	_cleanup_free_ char *read = output_of(plan, number, "post.d");
	struct vg_dependency_count count = {0};

	if (!read)
		return vg_error_no_memory();
	VG_TRY(vg_dependencies_count(narrow->dependencies, read,
				     narrow->jobs[2 * number + 1].directory, NULL, &plan->spelled,
				     &count));
	*copies = count.copies && !count.originals && !count.precompiled;
	return NULL;
}

static struct vg_error *is_unchanged(struct narrow *narrow, size_t number, bool *unchanged)
{
	_cleanup_free_ char *pre_path = output_of(narrow->plan, number, "pre.i");
	_cleanup_free_ char *post_path = output_of(narrow->plan, number, "post.i");
	_cleanup_free_ char *pre = NULL, *post = NULL;
	const struct vg_job *jobs = &narrow->jobs[2 * number];
	size_t pre_size, post_size;
	bool copies = false;

	*unchanged = false;
	if (!jobs[0].command.count || !vg_job_succeeded(&jobs[0]) || !vg_job_succeeded(&jobs[1]))
		return NULL;
	if (!pre_path || !post_path)
		return vg_error_no_memory();
	VG_TRY(is_from_copies(narrow, number, &copies));
	if (!copies)
		return NULL;
	VG_TRY(vg_read_file(pre_path, VG_FAILED, &pre, &pre_size));
	VG_TRY(vg_read_file(post_path, VG_FAILED, &post, &post_size));
	return vg_declarations_alike(pre, pre_size, post, post_size, unchanged);
}

static void drop(struct vg_planned_unit *unit)
{
	free(unit->file);
	vg_compile_flags_clear(&unit->flags);
}

/* The last one stays in any case: what it says about the header is then the answer. */
static struct vg_error *keep_changed(struct narrow *narrow)
{
	struct vg_unit_plan *plan = narrow->plan;
	size_t kept = 0, count = plan->count;
	struct vg_error *error = NULL;

	for (size_t i = 0; i < count; i++) {
		bool unchanged = false;

		if (!error)
			error = is_unchanged(narrow, i, &unchanged);
		if (!unchanged || (!kept && i + 1 == count)) {
			plan->units[kept++] = plan->units[i];
			continue;
		}
		vg_units_explain(plan->request,
				 "unit %s: mentions nothing that the diff declares anew; not "
				 "compiled",
				 plan->units[i].file);
		drop(&plan->units[i]);
	}
	plan->count = kept;
	return error;
}

static struct vg_error *narrow_down(struct narrow *narrow)
{
	VG_TRY(vg_dependencies_new(&narrow->plan->tree, &narrow->dependencies));
	VG_TRY(prepare(narrow));
	VG_TRY(run(narrow));
	return keep_changed(narrow);
}

struct vg_error *vg_units_narrow(struct vg_unit_plan *plan)
{
	struct narrow narrow = {.plan = plan};
	size_t room = 2 * plan->count;
	struct vg_error *error;

	if (plan->count <= FEW)
		return NULL;
	narrow.jobs = calloc(room, sizeof(*narrow.jobs));
	error = narrow.jobs ? narrow_down(&narrow) : vg_error_no_memory();
	for (size_t i = 0; narrow.jobs && i < room; i++)
		vg_job_clear(&narrow.jobs[i]);
	free(narrow.jobs);
	vg_dependencies_free(narrow.dependencies);
	return error;
}
