/* SPDX-License-Identifier: MIT */
/*
 * Files that the build makes from a file that the diff touches: QEMU's trace-events become headers
 * and sources. Where ninja builds the project it knows what is made from what, and how:
 *
 *   1. ninja names the outputs of the touched file (-t query); headers and sources count
 *   2. ... and the commands that make them (-t commands -s)
 *   3. each command runs in the patched shadow, where the touched file is the patched one, and
 *      its outputs are taken out first, so that it writes new files and not through links
 *   4. what differs from the file in the build directory is one more diff
 *
 * So the tree and the build directory stay as they are; only in a build directory of our own, where
 * nothing but headers was made so far, the file is made first. A build that has not made the file
 * yet, another build system, a generator that fails: the touched file is ignored with a note, as
 * before.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/units.h"

struct generator {
	struct vg_unit_plan *plan;
	const char *directory; /* of the build */
	struct vg_words diffs; /* files to apply */
	unsigned number;
};

static bool is_source(const char *path)
{
	return vg_is_c_file(path) || vg_ends_with(path, ".h") || vg_ends_with(path, ".inc");
}

/* Runs a command in the shadow or in the build directory; *text: what it printed (malloc), or NULL
 * if it failed. */
static struct vg_error *run(struct generator *generator, const char *directory,
			    const char *const words[], char **text)
{
	static const char *const shell[] = {"sh", "-c", "exec \"$@\"", "sh"};
	struct vg_unit_plan *plan = generator->plan;
	struct vg_job job = {
		.directory = strdup(directory),
		.log = vg_format("%s/out/generate-%u.log", plan->directory, generator->number++)};
	struct vg_error *error = NULL;
	size_t size;

	*text = NULL;
	/* the shell has no word for what is not installed but an exit code */
	for (size_t i = 0; i < sizeof(shell) / sizeof(*shell); i++)
		vg_words_add(&job.command, shell[i]);
	for (size_t i = 0; words[i]; i++)
		vg_words_add(&job.command, words[i]);
	if (!job.directory || !job.log)
		error = vg_error_no_memory();
	if (!error)
		error = vg_words_check(&job.command);
	if (!error)
		error = vg_jobs_run(&job, 1, plan->temp);
	if (!error && (vg_job_succeeded(&job) || !strcmp(words[0], "diff")))
		error = vg_read_file(job.log, VG_FAILED, text, &size);
	vg_job_clear(&job);
	return error;
}

/* What stands below "  outputs:" in ninja's answer, one to a line, indented further. */
static void read_outputs(char *answer, struct vg_words *outputs)
{
	bool behind = false;

	for (char *line; (line = strsep(&answer, "\n"));) {
		if (vg_starts_with(line, "    ") && behind)
			vg_words_add(outputs, line + 4);
		else
			behind = !strcmp(line, "  outputs:");
	}
}

/* ninja knows a file by the path that the build description gives it. */
static struct vg_error *ask_outputs(struct generator *generator, const struct vg_touched *touched,
				    struct vg_words *outputs)
{
	const char *root = generator->plan->tree.root;
	_cleanup_free_ char *relative = NULL;
	size_t up = 0;

	if (vg_path_is_under(generator->directory, root))
		for (const char *at = generator->directory + strlen(root); *at; at++)
			up += *at == '/';
	relative = strdup("");
	for (size_t i = 0; relative && i < up; i++) {
		char *longer = vg_format("../%s", relative);

		free(relative);
		relative = longer;
	}
	_cleanup_free_ char *path = relative ? vg_format("%s%s", relative, touched->path) : NULL;
	const char *const spellings[] = {touched->absolute, path};

	if (!path)
		return vg_error_no_memory();
	for (size_t i = 0; i < 2 && !outputs->count; i++) {
		const char *const query[] = {"ninja", "-t", "query", spellings[i], NULL};
		_cleanup_free_ char *answer = NULL;

		VG_TRY(run(generator, generator->directory, query, &answer));
		if (answer)
			read_outputs(answer, outputs);
	}
	return vg_words_check(outputs);
}

/* Paths into the tree lead into the shadow; malloc. */
static char *map_command(const struct vg_unit_plan *plan, const char *command)
{
	const char *root = plan->tree.root;
	size_t length = strlen(root);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (const char *at = command; *at && *at != '\n'; at++) {
		if (!strncmp(at, root, length) && at[length] == '/' &&
		    (at == command || strchr(" '\"=", at[-1])))
			fputs(plan->post.root, out);
		fputc(*at, out);
	}
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static struct vg_error *write_input(struct vg_unit_plan *plan, const struct vg_touched *touched)
{
	_cleanup_free_ char *bytes = NULL, *parent = vg_path_parent(touched->absolute);
	size_t size;

	if (!parent)
		return vg_error_no_memory();
	VG_TRY(vg_shadow_folder(&plan->post, parent));
	VG_TRY(vg_text_render(&touched->text, &bytes, &size));
	return vg_shadow_write(&plan->post, touched->absolute, bytes, size,
			       touched->created ? NULL : &touched->st);
}

/* Step 3, before the command. */
static struct vg_error *clear_outputs(struct generator *generator, const struct vg_words *outputs)
{
	struct vg_unit_plan *plan = generator->plan;

	VG_TRY(vg_shadow_folder(&plan->post, generator->directory));
	for (size_t i = 0; i < outputs->count; i++) {
		_cleanup_free_ char *path = vg_path_join(generator->directory, outputs->items[i]);
		_cleanup_free_ char *parent = path ? vg_path_parent(path) : NULL;

		if (!parent)
			return vg_error_no_memory();
		VG_TRY(vg_shadow_folder(&plan->post, parent));
		VG_TRY(vg_shadow_remove(&plan->post, path));
	}
	return NULL;
}

/* Step 4. */
static struct vg_error *add_difference(struct generator *generator, const char *output)
{
	struct vg_unit_plan *plan = generator->plan;
	_cleanup_free_ char *path = vg_path_join(generator->directory, output);
	_cleanup_free_ char *made = path ? vg_format("%s%s", plan->post.root, path) : NULL;
	_cleanup_free_ char *file =
		vg_format("%s/out/generated-%u.diff", plan->directory, generator->number);
	_cleanup_free_ char *text = NULL;

	if (!made || !file)
		return vg_error_no_memory();
	if (access(path, R_OK) || access(made, R_OK) || !vg_path_is_under(path, plan->tree.root))
		return NULL;

	const char *name = path + strlen(plan->tree.root) + 1;
	_cleanup_free_ char *before = vg_format("a/%s", name), *after = vg_format("b/%s", name);
	const char *const words[] = {"diff", "-u", "--label", before, "--label",
				     after,  path, made,      NULL};

	if (!before || !after)
		return vg_error_no_memory();
	VG_TRY(run(generator, generator->directory, words, &text));
	if (!text || !*text)
		return NULL;
	vg_units_explain(plan->request, "generated again: %s", name);
	vg_words_add(&generator->diffs, file);
	return vg_write_file(file, text, strlen(text), 0600);
}

static struct vg_error *make_first(struct generator *generator, const char *output)
{
	const char *const make[] = {"ninja", output, NULL};
	_cleanup_free_ char *path = vg_path_join(generator->directory, output);
	_cleanup_free_ char *text = NULL;

	if (!path)
		return vg_error_no_memory();
	if (!access(path, F_OK) || !generator->plan->request->own_build_directory)
		return NULL;
	return run(generator, generator->directory, make, &text);
}

static struct vg_error *make_output(struct generator *generator, const char *output)
{
	struct vg_unit_plan *plan = generator->plan;
	const char *const ask[] = {"ninja", "-t", "commands", "-s", output, NULL};
	_cleanup_free_ char *there = vg_format("%s%s", plan->post.root, generator->directory);
	_cleanup_free_ char *answer = NULL, *command = NULL, *text = NULL;

	if (!there)
		return vg_error_no_memory();
	VG_TRY(make_first(generator, output));
	VG_TRY(run(generator, generator->directory, ask, &answer));
	if (!answer || !*answer)
		return NULL;
	command = map_command(plan, answer);
	if (!command)
		return vg_error_no_memory();

	const char *const make[] = {"sh", "-c", command, NULL};

	VG_TRY(run(generator, there, make, &text));
	return text ? add_difference(generator, output) : NULL;
}

static struct vg_error *generate(struct generator *generator, struct vg_touched *touched)
{
	struct vg_words outputs = {0};
	struct vg_error *error = ask_outputs(generator, touched, &outputs);
	size_t before = generator->diffs.count;

	if (!error && outputs.count)
		error = write_input(generator->plan, touched);
	if (!error && outputs.count)
		error = clear_outputs(generator, &outputs);
	for (size_t i = 0; !error && i < outputs.count; i++)
		if (is_source(outputs.items[i]))
			error = make_output(generator, outputs.items[i]);
	touched->reached |= generator->diffs.count > before;
	vg_words_clear(&outputs);
	return error;
}

static bool can_be_input(const struct vg_touched *touched)
{
	return !touched->deleted && !touched->created && !touched->binary &&
	       !is_source(touched->path) && !vg_is_unit_file(touched->path) &&
	       !vg_is_never_compiled(touched->path);
}

/* The first entry's: projects of one build directory are the rule. */
static const char *build_directory(const struct vg_unit_plan *plan)
{
	const char *directory = plan->commands.count ? plan->commands.commands[0].directory : NULL;
	_cleanup_free_ char *rules = directory ? vg_format("%s/build.ninja", directory) : NULL;

	return rules && !access(rules, R_OK) ? directory : NULL;
}

struct vg_error *vg_units_generate(struct vg_unit_plan *plan)
{
	struct generator generator = {.plan = plan, .directory = build_directory(plan)};
	size_t count = plan->tree.count;
	struct vg_error *error = NULL;

	for (size_t i = 0; generator.directory && !error && i < count; i++)
		if (can_be_input(&plan->tree.files[i]))
			error = generate(&generator, &plan->tree.files[i]);
	for (size_t i = 0; !error && i < generator.diffs.count; i++)
		error = vg_source_tree_apply(&plan->tree, generator.diffs.items[i]);
	vg_words_clear(&generator.diffs);
	return error;
}
