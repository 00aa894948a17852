/* SPDX-License-Identifier: MIT */
/*
 * Compiles each unit pre, post and plain:
 *
 *   1. all compilations run in parallel, each in its shadow;
 *   2. a failed post compilation is run once more without #line directives, so that the message
 *      has the line numbers of the patched file;
 *   3. the dependencies of each post compilation must show patched copies only. A touched file
 *      that was read as the tree has it came in behind the shadow's back ("x/../y" through a
 *      symbolic link). Then, or if a file was missed that the shadow leaves out, the shadow is
 *      made complete and all is compiled again, once;
 *   4. what still leads around the shadow (an absolute path in an #include) is refused.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/dependencies.h"
#include "differ/units.h"

enum pass { POST, PRE, PLAIN, PASSES };

struct run {
	struct vg_unit_plan *plan;
	struct vg_job *jobs; /* PASSES for each unit, pass by pass; unused ones have no command */
	size_t count;
};

static struct vg_job *job_of(const struct run *run, enum pass pass, size_t unit)
{
	return &run->jobs[pass * run->plan->count + unit];
}

/* Flags that the sections compilation has anyway need no second one. */
static bool is_plain_pre(const struct vg_planned_unit *unit)
{
	return unit->flags.function_sections && unit->flags.data_sections && unit->flags.debug;
}

static struct vg_error *prepare_unit(struct vg_unit_plan *plan, struct vg_planned_unit *unit,
				     size_t number)
{
	const struct vg_touched *touched = NULL;
	struct stat st;

	unit->pre_object = vg_format("%s/out/%zu-pre.o", plan->directory, number);
	unit->post_object = vg_format("%s/out/%zu-post.o", plan->directory, number);
	unit->plain_object = is_plain_pre(unit)
				     ? strdup(unit->pre_object ?: "")
				     : vg_format("%s/out/%zu-plain.o", plan->directory, number);
	unit->dependencies = vg_format("%s/out/%zu-post.d", plan->directory, number);
	if (!unit->pre_object || !unit->post_object || !unit->plain_object || !unit->dependencies)
		return vg_error_no_memory();
	if (!stat(unit->command->path, &st))
		touched = vg_source_tree_find(&plan->tree, &st);
	if (!touched || !touched->deleted)
		return NULL;
	for (size_t i = 0; i < plan->tree.count; i++) {
		const struct vg_touched *file = &plan->tree.files[i];

		if (!file->deleted && file->from && !strcmp(file->from, touched->path))
			unit->post_input = strdup(file->absolute);
	}
	if (!unit->post_input)
		return vg_error_new(VG_REFUSED,
				    "%s: the diff deletes this unit; code cannot be taken out of "
				    "a live target",
				    touched->path);
	return NULL;
}

static struct vg_error *prepare_job(struct run *run, enum pass pass, size_t number)
{
	struct vg_unit_plan *plan = run->plan;
	const struct vg_planned_unit *unit = &plan->units[number];
	const struct vg_shadow *shadow = pass == POST ? &plan->post : &plan->pre;
	const char *outputs[] = {unit->post_object, unit->pre_object, unit->plain_object};
	struct vg_job *job = job_of(run, pass, number);

	if (pass == PLAIN && is_plain_pre(unit))
		return NULL;
	job->directory = vg_format("%s%s", shadow->root, unit->command->directory);
	job->log = vg_format("%s.log", outputs[pass]);
	if (!job->directory || !job->log)
		return vg_error_no_memory();
	return vg_compile_flags_command(&unit->flags, shadow,
					pass == PLAIN ? VG_COMPILE_PLAIN : VG_COMPILE_SECTIONS,
					pass == POST ? unit->post_input : NULL, outputs[pass],
					pass == POST ? unit->dependencies : NULL, &job->command);
}

static void explain_unit(const struct vg_unit_plan *plan, const struct vg_planned_unit *unit)
{
	struct vg_words dropped = {0};
	size_t length = 0;

	for (size_t i = 0; i < unit->flags.dropped.count; i++)
		length += strlen(unit->flags.dropped.items[i]) + 1;

	char *line = calloc(length + 1, 1);

	for (size_t i = 0; line && i < unit->flags.dropped.count; i++) {
		strcat(line, i ? " " : "");
		strcat(line, unit->flags.dropped.items[i]);
	}
	vg_units_explain(plan->request, "unit %s: compiled pre, post and plain with %s (in %s)%s%s",
			 unit->file, unit->flags.words.items[0], unit->command->directory,
			 length ? "; output options left out: " : "", line ?: "");
	free(line);
	vg_words_clear(&dropped);
}

static struct vg_error *prepare(struct run *run)
{
	struct vg_unit_plan *plan = run->plan;

	run->count = plan->count * PASSES;
	run->jobs = calloc(run->count + 1, sizeof(*run->jobs));
	if (!run->jobs)
		return vg_error_no_memory();
	for (size_t i = 0; i < plan->count; i++) {
		VG_TRY(prepare_unit(plan, &plan->units[i], i));
		explain_unit(plan, &plan->units[i]);
		for (enum pass pass = POST; pass < PASSES; pass++)
			VG_TRY(prepare_job(run, pass, i));
	}
	return NULL;
}

/* The jobs that exist, as one list for the pool. */
static struct vg_error *run_all(struct run *run)
{
	struct vg_job *list = calloc(run->count + 1, sizeof(*list));
	size_t count = 0;

	if (!list)
		return vg_error_no_memory();
	for (size_t i = 0; i < run->count; i++)
		if (run->jobs[i].command.count)
			list[count++] = run->jobs[i];

	struct vg_error *error = vg_jobs_run(list, count, run->plan->temp);

	for (size_t i = 0, next = 0; i < run->count; i++)
		if (run->jobs[i].command.count)
			run->jobs[i].status = list[next++].status;
	free(list);
	return error;
}

static struct vg_error *pre_failed(const struct run *run, enum pass pass, size_t number)
{
	const struct vg_planned_unit *unit = &run->plan->units[number];
	_cleanup_free_ char *message = vg_compiler_message(
		run->plan, job_of(run, pass, number)->log, unit->command->directory);

	return vg_error_new(VG_REFUSED,
			    "%s (%s does not compile even without the diff, with its command in "
			    "%s)",
			    message ?: "", unit->file, run->plan->commands.path);
}

/* Step 2. If it compiles now, the directives were at fault: better shifted lines than no patch. */
static struct vg_error *post_failed(const struct run *run, size_t number)
{
	struct vg_unit_plan *plan = run->plan;
	const struct vg_planned_unit *unit = &plan->units[number];
	struct vg_job *job = job_of(run, POST, number);

	VG_TRY(vg_units_write_patched(plan, false));
	VG_TRY(vg_jobs_run(job, 1, plan->temp));
	if (vg_job_succeeded(job)) {
		vg_words_format(&plan->notes,
				"%s: line numbers could not be kept; functions that use __LINE__ "
				"may show as changed",
				unit->file);
		VG_TRY(vg_words_check(&plan->notes));
		return vg_units_write_patched(plan, true);
	}

	_cleanup_free_ char *message =
		vg_compiler_message(plan, job->log, unit->command->directory);

	return vg_error_new(VG_REFUSED, "%s (%s does not compile with the diff)", message ?: "",
			    unit->file);
}

static struct vg_error *check_status(const struct run *run)
{
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct vg_job *plain = job_of(run, PLAIN, i);

		if (!vg_job_succeeded(job_of(run, PRE, i)))
			return pre_failed(run, PRE, i);
		if (plain->command.count && !vg_job_succeeded(plain))
			return pre_failed(run, PLAIN, i);
		if (!vg_job_succeeded(job_of(run, POST, i)))
			VG_TRY(post_failed(run, i));
	}
	return NULL;
}

/* *escaped: the first unit that read a touched file as the tree has it; count: none did. */
static struct vg_error *find_escape(const struct run *run, size_t *escaped)
{
	struct vg_unit_plan *plan = run->plan;
	_cleanup_(vg_dependencies_cleanup) struct vg_dependencies *dependencies = NULL;

	VG_TRY(vg_dependencies_new(&plan->tree, &dependencies));
	for (*escaped = 0; *escaped < plan->count; ++*escaped) {
		struct vg_dependency_count count = {0};

		VG_TRY(vg_dependencies_count(dependencies, plan->units[*escaped].dependencies,
					     job_of(run, POST, *escaped)->directory, NULL,
					     &plan->spelled, &count));
		if (count.originals || count.precompiled)
			break;
	}
	return NULL;
}

static struct vg_error *refuse_escape(const struct vg_unit_plan *plan, size_t unit)
{
	const char *path = plan->spelled.count ? plan->spelled.items[plan->spelled.count - 1] : "";

	if (vg_starts_with(path, plan->post.root))
		path += strlen(plan->post.root);
	return vg_error_new(VG_REFUSED,
			    "%s reads %s by an absolute path that no compile flag names, so that "
			    "the patched file cannot take its place; include it by a relative path",
			    plan->units[unit].file, path);
}

/* The compiler's words for a file that was left out of the shadow, or that is really missing. */
static bool does_log_miss_file(const char *log)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	struct vg_error *error = vg_read_file(log, VG_FAILED, &text, &size);

	vg_error_free(error);
	return !error &&
	       (strstr(text, "No such file or directory") || strstr(text, "file not found"));
}

static bool is_file_missed(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->jobs[i].command.count && !vg_job_succeeded(&run->jobs[i]) &&
		    does_log_miss_file(run->jobs[i].log))
			return true;
	return false;
}

/* One round. *unit is the first whose compilation cannot be used; count: all are good. */
static struct vg_error *compile_once(struct run *run, bool complete, size_t *unit)
{
	*unit = 0;
	VG_TRY(run_all(run));
	if (!complete && is_file_missed(run))
		return NULL;
	VG_TRY(check_status(run));
	return find_escape(run, unit);
}

static struct vg_error *compile(struct run *run)
{
	struct vg_unit_plan *plan = run->plan;
	size_t unit;

	VG_TRY(compile_once(run, false, &unit));
	if (unit == plan->count)
		return NULL;
	vg_units_explain(plan->request,
			 "unit %s: reads files that the shadow left out, or by absolute paths: "
			 "compiling in a complete one",
			 plan->units[unit].file);
	VG_TRY(vg_units_mirror(plan));
	VG_TRY(vg_units_lead_inside(plan));
	VG_TRY(compile_once(run, true, &unit));
	return unit == plan->count ? NULL : refuse_escape(plan, unit);
}

struct vg_error *vg_units_run(struct vg_unit_plan *plan)
{
	struct run run = {.plan = plan};
	struct vg_error *error = prepare(&run);

	if (!error)
		error = compile(&run);
	if (!error && plan->request->explain)
		error = vg_units_compile_lined(plan);
	for (size_t i = 0; run.jobs && i < run.count; i++)
		vg_job_clear(&run.jobs[i]);
	free(run.jobs);
	return error;
}
