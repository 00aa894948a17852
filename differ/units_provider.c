/* SPDX-License-Identifier: MIT */
/*
 * A unit that the diff does not reach, but that defines what the new code calls. What a target does
 * not export, and none of the changed units called before, is found by the object that has it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/units.h"

static bool is_identifier(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool begins_in_first_column(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return isalpha((unsigned char)*at) || *at == '_';
}

/* `NAME(…) {` with the line's begin in the first column: what C sources look like. */
static bool is_definition(const char *text, const char *at, size_t length)
{
	const char *behind = at + length;

	if ((at > text && is_identifier(at[-1])) || !begins_in_first_column(text, at))
		return false;
	behind += strspn(behind, " \t\n");
	if (*behind != '(')
		return false;
	behind += strcspn(behind, ";{");
	return *behind == '{';
}

static bool seems_to_define(const char *path, const char *name)
{
	_cleanup_free_ char *text = NULL;
	size_t size, length = strlen(name);
	struct vg_error *error = vg_read_file(path, VG_FAILED, &text, &size);

	vg_error_free(error);
	if (error)
		return false;
	for (const char *at = text; (at = strstr(at, name)); at += length)
		if (is_definition(text, at, length))
			return true;
	return false;
}

static struct vg_error *run(struct vg_unit_plan *plan, const struct vg_compile_command *command,
			    const struct vg_compile_flags *flags, const char *object, bool *made)
{
	struct vg_job job = {.log = vg_format("%s.log", object),
			     .directory = vg_format("%s%s", plan->pre.root, command->directory)};
	struct vg_error *error =
		job.log && job.directory
			? vg_compile_flags_command(flags, &plan->pre, VG_COMPILE_PLAIN, NULL,
						   object, NULL, &job.command)
			: vg_error_no_memory();

	if (!error)
		error = vg_jobs_run(&job, 1, plan->temp);
	*made = !error && vg_job_succeeded(&job);
	vg_job_clear(&job);
	return error;
}

/* *object stays NULL for one that does not compile: it may be of another machine. */
static struct vg_error *compile(struct vg_unit_plan *plan, const struct vg_compile_command *command,
				char **object)
{
	struct vg_compile_flags flags = {0};
	_cleanup_free_ char *output =
		vg_format("%s/out/extra-%u.o", plan->directory, plan->extras++);
	struct vg_error *error =
		output ? vg_compile_flags_read(command, &flags) : vg_error_no_memory();
	bool made = false;

	if (!error && flags.input && flags.compiles)
		error = vg_shadow_link(&plan->pre, command->path);
	if (!error && flags.input && flags.compiles)
		error = run(plan, command, &flags, output, &made);
	vg_compile_flags_clear(&flags);
	if (made)
		*object = vg_take(output);
	return error;
}

struct vg_error *vg_units_compile_provider(struct vg_unit_plan *plan, const char *name,
					   size_t *next, const char **file, char **object)
{
	*object = NULL;
	while (plan && !*object && *next < plan->commands.count) {
		const struct vg_compile_command *command = &plan->commands.commands[(*next)++];

		*file = command->path;
		if (vg_is_c_file(command->path) && seems_to_define(command->path, name))
			VG_TRY(compile(plan, command, object));
	}
	return NULL;
}
