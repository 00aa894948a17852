/* SPDX-License-Identifier: MIT */
/*
 * The units that may define a symbol which no unit of the diff defines: a fix calls what its unit
 * did not use before, and a stripped target does not export it. QEMU's helper_set_dr() lies in
 * bpt_helper.c; smm_helper.c comes to use it.
 *
 * Where C defines something at file scope, a line that begins in the first column names it. A name
 * put together by the preprocessor is not seen here.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/units.h"

/* A name that so many units have in such a line is no rare one: the target would export it. */
#define MAX_CANDIDATES 16

static bool is_definition_line(const char *line, size_t length, const char *name)
{
	return length && (isalpha((unsigned char)line[0]) || line[0] == '_' || line[0] == '*') &&
	       vg_has_word(line, length, name);
}

static bool may_define(const char *path, const char *name)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	struct vg_error *error = vg_read_file(path, VG_FAILED, &text, &size);
	bool found = false;

	vg_error_free(error);
	if (error || !memmem(text, size, name, strlen(name)))
		return false;
	for (const char *line = text, *end; !found && line && *line; line = end) {
		size_t length = strcspn(line, "\n");

		found = is_definition_line(line, length, name);
		end = line[length] ? line + length + 1 : NULL;
	}
	return found;
}

static bool is_planned(const struct vg_unit_plan *plan, const struct vg_compile_command *command)
{
	for (size_t i = 0; i < plan->count; i++)
		if (!strcmp(plan->units[i].command->path, command->path))
			return true;
	return false;
}

static struct vg_error *prepare(struct vg_unit_plan *plan, const struct vg_compile_command *command,
				enum vg_compile_kind kind, const char *object, struct vg_job *job)
{
	struct vg_compile_flags flags;
	struct vg_error *error = vg_compile_flags_read(command, &flags);

	job->directory = vg_format("%s%s", plan->pre.root, command->directory);
	job->log = vg_format("%s.log", object);
	if (!error && (!job->directory || !job->log))
		error = vg_error_no_memory();
	if (!error)
		error = vg_units_command_folder(plan, command);
	if (!error)
		error = vg_compile_flags_command(&flags, &plan->pre, kind, NULL, object, NULL,
						 &job->command);
	vg_compile_flags_clear(&flags);
	return error;
}

/* One that does not compile is not in a target that was built from this tree. */
static struct vg_error *compile(struct vg_unit_plan *plan, const struct vg_compile_command *command,
				struct vg_defining_unit *unit)
{
	unsigned number = plan->extras++;
	struct vg_job jobs[2] = {0};
	struct vg_error *error = NULL;

	unit->file = command->path;
	unit->object = vg_format("%s/out/extra-%u.o", plan->directory, number);
	unit->plain_object = vg_format("%s/out/extra-%u-plain.o", plan->directory, number);
	if (!unit->object || !unit->plain_object)
		return vg_error_no_memory();
	error = prepare(plan, command, VG_COMPILE_SECTIONS, unit->object, &jobs[0]);
	if (!error)
		error = prepare(plan, command, VG_COMPILE_PLAIN, unit->plain_object, &jobs[1]);
	if (!error)
		error = vg_jobs_run(jobs, 2, plan->temp);
	unit->compiled = !error && vg_job_succeeded(&jobs[0]) && vg_job_succeeded(&jobs[1]);
	vg_job_clear(&jobs[0]);
	vg_job_clear(&jobs[1]);
	return error;
}

static struct vg_defining_unit *find_compiled(const struct vg_unit_plan *plan,
					      const struct vg_compile_command *command)
{
	for (size_t i = 0; i < plan->defining_count; i++)
		if (plan->defining[i]->command == command)
			return plan->defining[i];
	return NULL;
}

static struct vg_error *add_unit(struct vg_unit_plan *plan,
				 const struct vg_compile_command *command,
				 struct vg_defining_unit **unit)
{
	struct vg_defining_unit **grown =
		reallocarray(plan->defining, plan->defining_count + 1, sizeof(*plan->defining));

	if (!grown)
		return vg_error_no_memory();
	plan->defining = grown;
	*unit = grown[plan->defining_count] = calloc(1, sizeof(**unit));
	if (!*unit)
		return vg_error_no_memory();
	plan->defining_count++;
	(*unit)->command = command;
	return compile(plan, command, *unit);
}

struct vg_error *vg_units_defining(const struct vg_units *units, const char *name,
				   struct vg_defining_unit **found, size_t room, size_t *count)
{
	struct vg_unit_plan *plan = units->plan;

	*count = 0;
	if (!plan || !*name)
		return NULL;
	if (room > MAX_CANDIDATES)
		room = MAX_CANDIDATES;
	for (size_t i = 0; i < plan->commands.count && *count < room; i++) {
		const struct vg_compile_command *command = &plan->commands.commands[i];
		struct vg_defining_unit *unit = find_compiled(plan, command);

		if (is_planned(plan, command) || !vg_is_c_file(command->path) ||
		    !may_define(command->path, name))
			continue;
		if (!unit)
			VG_TRY(add_unit(plan, command, &unit));
		if (unit->compiled)
			found[(*count)++] = unit;
	}
	return NULL;
}

void vg_units_defining_clear(struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->defining_count; i++) {
		free(plan->defining[i]->object);
		free(plan->defining[i]->plain_object);
		free(plan->defining[i]);
	}
	free(plan->defining);
	plan->defining = NULL;
	plan->defining_count = 0;
}
