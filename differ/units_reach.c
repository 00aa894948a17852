/* SPDX-License-Identifier: MIT */
/*
 * Which units does the diff reach? For each compile command:
 *
 *   1. its source is touched: yes.
 *   2. dependency information of the build, if it is current, knows.
 *   3. otherwise the compiler is asked (-M), for all that are left in parallel. This is skipped
 *      when only units are touched and no source text names one of them, as an #include of a .c
 *      file would. (A name put together from pieces by the preprocessor is not seen here.) Nor is
 *      one asked about that ninja never made in the directory in which it made the target.
 *
 * A unit that the compiler cannot preprocess is not part of a target built from this tree; it is
 * left out with a note.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/dependencies.h"
#include "differ/units.h"

struct search {
	struct vg_unit_plan *plan;
	struct vg_dependencies *dependencies;
	const struct vg_compile_command **pending; /* nothing known about them */
	size_t pending_count;
	size_t capacity; /* of plan->units */
	size_t left_out; /* could not be preprocessed */
	char *target;	 /* its real path, or NULL */
};

static bool is_same_unit(const struct vg_planned_unit *a, const struct vg_planned_unit *b)
{
	const struct vg_words *left = &a->flags.words, *right = &b->flags.words;

	if (strcmp(a->command->path, b->command->path) ||
	    strcmp(a->command->directory, b->command->directory) || left->count != right->count)
		return false;
	for (size_t i = 0; i < left->count; i++)
		if (strcmp(left->items[i], right->items[i]))
			return false;
	return true;
}

/* One object file listed twice, or two that are compiled alike, make one unit. */
static bool is_known(const struct vg_unit_plan *plan, const struct vg_planned_unit *unit)
{
	for (size_t i = 0; i < plan->count; i++)
		if (is_same_unit(&plan->units[i], unit))
			return true;
	return false;
}

static struct vg_error *check_language(const struct vg_unit_plan *plan,
				       const struct vg_planned_unit *unit)
{
	const struct vg_compile_command *command = unit->command;

	if (!unit->flags.c_language)
		return vg_error_new(VG_REFUSED,
				    "the diff reaches %s, which is not C; only C units can be "
				    "patched yet",
				    unit->file);
	if (!unit->flags.input)
		return vg_error_new(VG_REFUSED,
				    "%s: the compile command of %s does not name that file",
				    plan->commands.path, command->file);
	return NULL;
}

static char *file_name(const struct vg_source_tree *tree, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	size_t root = strlen(tree->root);

	if (!real || !vg_path_is_under(real, tree->root))
		return strdup(path);
	return strdup(real + root + (real[root] == '/'));
}

static struct vg_error *read_unit(struct vg_unit_plan *plan,
				  const struct vg_compile_command *command,
				  struct vg_planned_unit *unit)
{
	*unit = (struct vg_planned_unit){.command = command};
	unit->file = file_name(&plan->tree, command->path);
	if (!unit->file)
		return vg_error_no_memory();
	return vg_compile_flags_read(command, &unit->flags);
}

static struct vg_error *keep_unit(struct search *search, struct vg_planned_unit *unit)
{
	struct vg_unit_plan *plan = search->plan;

	if (plan->count == search->capacity) {
		size_t capacity = search->capacity ? search->capacity * 2 : 16;
		struct vg_planned_unit *units = reallocarray(plan->units, capacity, sizeof(*units));

		if (!units)
			return vg_error_no_memory();
		plan->units = units;
		search->capacity = capacity;
	}
	plan->units[plan->count++] = *unit;
	return NULL;
}

static struct vg_error *add_unit(struct search *search, const struct vg_compile_command *command,
				 const char *why, const char *what)
{
	struct vg_unit_plan *plan = search->plan;
	struct vg_planned_unit unit;
	struct vg_error *error = read_unit(plan, command, &unit);

	if (!error && unit.flags.compiles && !is_known(plan, &unit)) {
		error = check_language(plan, &unit);
		if (!error)
			error = keep_unit(search, &unit);
		if (!error) {
			vg_units_explain(plan->request, "unit %s: %s%s; command of %s", unit.file,
					 why, what, plan->commands.path);
			return NULL;
		}
	}
	free(unit.file);
	vg_compile_flags_clear(&unit.flags);
	return error;
}

/* A directory of our own holds no more objects than were needed so far. */
static struct vg_error *ask_later(struct search *search, const struct vg_compile_command *command)
{
	_cleanup_free_ char *made_in = realpath(command->directory, NULL);
	bool never = false;

	if (made_in && search->target && vg_path_is_under(search->target, made_in) &&
	    !search->plan->request->own_build_directory)
		VG_TRY(vg_dependencies_never_made(search->dependencies, command, &never));
	if (!never)
		search->pending[search->pending_count++] = command;
	return NULL;
}

static struct vg_error *ask_one(struct search *search, const struct vg_compile_command *command)
{
	struct vg_unit_plan *plan = search->plan;
	_cleanup_free_ char *source = NULL;
	struct vg_touched *touched;
	enum vg_reach reach;
	struct stat st;

	if (stat(command->path, &st) < 0)
		return NULL; /* a command for a file that is gone makes no object */
	touched = vg_source_tree_find(&plan->tree, &st);
	if (touched) {
		touched->reached = true;
		return add_unit(search, command, "touched by the diff", "");
	}
	VG_TRY(vg_dependencies_ask(search->dependencies, command, &plan->spelled, &source, &reach));
	if (reach == VG_REACH_YES)
		return add_unit(search, command, "includes a touched file, says ", source ?: "");
	return reach == VG_REACH_UNKNOWN ? ask_later(search, command) : NULL;
}

/* Text that may hold an #include. */
static bool is_source_text(const char *name)
{
	static const char *const ends[] = {".h",   ".inc",  ".def", ".hpp", ".hh",
					   ".inl", ".tmpl", ".x",   NULL};

	for (size_t i = 0; ends[i]; i++)
		if (vg_ends_with(name, ends[i]))
			return true;
	return vg_is_unit_file(name);
}

/* An #include of it spells the name up to the closing delimiter: "x/net.c" includes net.c, but no
 * comment that names virtio-net.c does. */
static bool is_included_name(const char *text, const char *at, const char *end)
{
	char before = at > text ? at[-1] : '\0';

	return (before == '/' || before == '"' || before == '<') && (*end == '"' || *end == '>');
}

static bool does_file_name(const char *path, const char *name)
{
	_cleanup_free_ char *text = NULL;
	size_t size, length = strlen(name);
	struct vg_error *error = vg_read_file(path, VG_FAILED, &text, &size);
	const char *at = text;

	vg_error_free(error);
	while (at && (at = memmem(at, size - (size_t)(at - text), name, length))) {
		if (is_included_name(text, at, at + length))
			return true;
		at += length;
	}
	return false;
}

/* Does any source text below `folder` name this file, as an #include of it would? */
static bool does_tree_name(const char *folder, const char *name)
{
	_cleanup_closedir_ DIR *dir = opendir(folder);
	bool found = false;

	for (struct dirent *entry; !found && dir && (entry = readdir(dir));) {
		_cleanup_free_ char *path = vg_format("%s/%s", folder, entry->d_name);
		struct stat st;

		if (!path || entry->d_name[0] == '.' || lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			found = does_tree_name(path, name);
		else if (S_ISREG(st.st_mode) && is_source_text(name) && is_source_text(path))
			found = does_file_name(path, name);
	}
	return found;
}

static bool needs_scan(const struct vg_unit_plan *plan, const struct vg_touched *touched)
{
	if (touched->created || vg_is_never_compiled(touched->path))
		return false;
	if (!touched->reached || !vg_is_unit_file(touched->path))
		return true;
	return does_tree_name(plan->tree.root, basename(touched->path));
}

static bool is_scan_needed(const struct search *search)
{
	for (size_t i = 0; search->pending_count && i < search->plan->tree.count; i++)
		if (needs_scan(search->plan, &search->plan->tree.files[i]))
			return true;
	return false;
}

static struct vg_error *scan_job(struct vg_unit_plan *plan,
				 const struct vg_compile_command *command, size_t number,
				 struct vg_job *job)
{
	struct vg_compile_flags flags;
	_cleanup_free_ char *output = vg_format("%s/out/scan-%zu.d", plan->directory, number);
	struct vg_error *error = vg_compile_flags_read(command, &flags);

	job->directory = vg_format("%s%s", plan->pre.root, command->directory);
	job->log = vg_format("%s/out/scan-%zu.log", plan->directory, number);
	if (!output || !job->directory || !job->log)
		error = error ?: vg_error_no_memory();
	if (!error)
		error = vg_units_command_folder(plan, command);
	if (!error)
		error = vg_compile_flags_command(&flags, &plan->pre, VG_COMPILE_SCAN, NULL, output,
						 NULL, &job->command);
	vg_compile_flags_clear(&flags);
	return error;
}

/* They are not part of the target, so the first stands for them all. */
static struct vg_error *leave_out(struct search *search, const struct vg_compile_command *command,
				  const struct vg_job *job)
{
	struct vg_unit_plan *plan = search->plan;
	_cleanup_free_ char *message = vg_compiler_message(plan, job->log, command->directory);

	vg_units_explain(plan->request, "%s left out: %s", command->path, message ?: "");
	if (search->left_out++)
		return NULL;
	vg_words_format(&plan->notes,
			"%s left out, and others may be: it cannot be preprocessed with its "
			"compile command (%s)",
			command->path, message ?: "");
	return vg_words_check(&plan->notes);
}

static struct vg_error *read_scan(struct search *search, const struct vg_compile_command *command,
				  size_t number, const struct vg_job *job)
{
	struct vg_unit_plan *plan = search->plan;
	_cleanup_free_ char *output = vg_format("%s/out/scan-%zu.d", plan->directory, number);
	struct vg_dependency_count count = {0};

	if (!output)
		return vg_error_no_memory();
	if (!vg_job_succeeded(job))
		return leave_out(search, command, job);
	VG_TRY(vg_dependencies_count(search->dependencies, output, command->directory,
				     plan->pre.root, &plan->spelled, &count));
	if (plan->request->own_build_directory)
		VG_TRY(vg_dependencies_keep(command, output, plan->pre.root));
	return count.originals
		       ? add_unit(search, command, "includes a touched file, says ", "the compiler")
		       : NULL;
}

static struct vg_error *scan(struct search *search)
{
	struct vg_unit_plan *plan = search->plan;
	size_t count = search->pending_count;
	struct vg_job *jobs = calloc(count, sizeof(*jobs));
	struct vg_error *error = jobs ? NULL : vg_error_no_memory();

	vg_units_explain(plan->request,
			 "%zu units without current dependency files: asking the compiler (-M)",
			 count);
	plan->pre.complete = true;
	for (size_t i = 0; !error && i < count; i++)
		error = scan_job(plan, search->pending[i], i, &jobs[i]);
	if (!error)
		error = vg_jobs_run(jobs, count, plan->temp);
	for (size_t i = 0; !error && i < count; i++)
		error = read_scan(search, search->pending[i], i, &jobs[i]);
	for (size_t i = 0; jobs && i < count; i++)
		vg_job_clear(&jobs[i]);
	free(jobs);
	return error;
}

static int by_file(const void *a, const void *b)
{
	const struct vg_planned_unit *left = a, *right = b;
	int order = strcmp(left->file, right->file);

	if (!order)
		order = strcmp(left->command->output ?: "", right->command->output ?: "");
	/* entries stand in the compdb's order */
	return order ?: (left->command > right->command) - (left->command < right->command);
}

static struct vg_error *search_all(struct search *search)
{
	struct vg_unit_plan *plan = search->plan;

	for (size_t i = 0; i < plan->commands.count; i++)
		VG_TRY(ask_one(search, &plan->commands.commands[i]));
	if (is_scan_needed(search))
		VG_TRY(scan(search));
	if (plan->count)
		qsort(plan->units, plan->count, sizeof(*plan->units), by_file);
	return NULL;
}

struct vg_error *vg_units_reach(struct vg_unit_plan *plan)
{
	struct search search = {.plan = plan, .target = realpath(plan->request->target, NULL)};
	struct vg_error *error = vg_dependencies_new(&plan->tree, &search.dependencies);

	search.pending = calloc(plan->commands.count + 1, sizeof(*search.pending));
	if (!error && !search.pending)
		error = vg_error_no_memory();
	if (!error)
		error = search_all(&search);
	vg_dependencies_free(search.dependencies);
	free(search.pending);
	free(search.target);
	return error;
}
