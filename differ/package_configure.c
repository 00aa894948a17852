/* SPDX-License-Identifier: MIT */
/*
 * The source tree is configured as the package's own rules do it, and its generated headers are
 * made; no unit is compiled for it. With ninja, what belongs to a program is asked of ninja:
 * the headers among the program's inputs are made, and only the units among them are kept of
 * the compile commands (a source that is compiled for several programs has several).
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/package.h"

static struct vg_error *run_configure(struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;

	for (size_t i = 0; i < manifest->configure.count; i++) {
		struct vg_words command = {0};

		vg_package_say(package, "configuring: %s", manifest->configure.at[i]);
		vg_package_env(package, &command);
		vg_words_add(&command, "sh");
		vg_words_add(&command, "-ec");
		vg_words_add(&command, manifest->configure.at[i]);
		VG_TRY(vg_package_run(package, package->source, &command, "configure the source",
				      NULL));
	}
	return NULL;
}

/* One source may be configured several times, each in a build directory of its own. */
static const char *step_name(struct vg_package *package, const char *what)
{
	char *step = vg_arena_printf(package->arena, "%s-%s", what, package->manifest->build);

	for (char *at = step; at && *at; at++)
		if (*at == '/')
			*at = '-';
	return step;
}

static struct vg_error *configure(struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;
	const char *from = vg_package_source_key(package);
	const char *step = step_name(package, "configured");

	for (size_t i = 0; from && i < manifest->configure.count; i++)
		from = vg_arena_printf(package->arena, "%s%s\n", from, manifest->configure.at[i]);
	if (!from || !step)
		return vg_error_no_memory();
	if (vg_package_is_done(package, step, from))
		return NULL;
	VG_TRY(run_configure(package));
	return vg_package_set_done(package, step, from);
}

static struct vg_error *ninja(struct vg_package *package, const struct vg_words *words,
			      const char *what, const char **log)
{
	struct vg_words command = {0};

	vg_package_env(package, &command);
	vg_words_add(&command, "ninja");
	vg_words_append(&command, words);
	return vg_package_run(package, package->build, &command, what, log);
}

/* All that goes into the program, objects and headers and what these are made from. */
static struct vg_error *read_inputs(struct vg_package *package, const char *program, char **text)
{
	struct vg_words words = {0};
	struct vg_error *error;
	const char *log;
	size_t size;

	vg_words_add(&words, "-t");
	vg_words_add(&words, "inputs");
	vg_words_add(&words, program);
	error = ninja(package, &words, "ask ninja what the program is made from", &log);
	vg_words_clear(&words);
	return error ?: vg_read_file(log, VG_FAILED, text, &size);
}

/* Made by the build, not a part of the source: its path does not lead out of the build directory.
 */
static bool is_generated_header(const char *path)
{
	return path[0] != '/' && !vg_starts_with(path, "../") &&
	       (vg_ends_with(path, ".h") || vg_ends_with(path, ".inc") ||
		vg_ends_with(path, ".hpp") || vg_ends_with(path, ".def"));
}

static struct vg_error *make_headers(struct vg_package *package, const struct vg_words *inputs)
{
	struct vg_words headers = {0};
	struct vg_error *error = NULL;

	for (size_t i = 0; i < inputs->count; i++)
		if (is_generated_header(inputs->items[i]))
			vg_words_add(&headers, inputs->items[i]);
	if (headers.count) {
		vg_package_say(package, "making %zu generated headers", headers.count);
		error = ninja(package, &headers, "make the generated headers", NULL);
	}
	vg_words_clear(&headers);
	return error;
}

static int compare_words(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void keep_units(json_t *all, const struct vg_words *inputs, json_t *kept)
{
	json_t *entry;
	size_t index;

	json_array_foreach(all, index, entry)
	{
		const char *output = json_string_value(json_object_get(entry, "output"));

		if (output && bsearch(&output, inputs->items, inputs->count, sizeof(*inputs->items),
				      compare_words))
			json_array_append(kept, entry);
	}
}

static struct vg_error *write_units(struct vg_package *package, const struct vg_words *inputs)
{
	_cleanup_free_ char *path = vg_format("%s/compile_commands.json", package->build);
	json_error_t problem;
	json_t *all = path ? json_load_file(path, 0, &problem) : NULL, *kept = json_array();
	int failed = -1;

	if (all && kept) {
		keep_units(all, inputs, kept);
		failed = json_dump_file(kept, package->compdb, JSON_INDENT(1));
	}
	json_decref(kept);
	json_decref(all);
	if (!all)
		return vg_error_new(VG_FAILED, "%s/compile_commands.json: %s", package->build,
				    path ? problem.text : "out of memory");
	if (failed)
		return vg_error_new(VG_FAILED, "cannot write %s", package->compdb);
	return NULL;
}

static struct vg_error *use_inputs(struct vg_package *package, char *text)
{
	struct vg_words inputs = {0};
	struct vg_error *error;

	for (char *line; (line = strsep(&text, "\n"));)
		if (*line)
			vg_words_add(&inputs, line);
	error = vg_words_check(&inputs);
	if (!error)
		error = make_headers(package, &inputs);
	if (!error) {
		qsort(inputs.items, inputs.count, sizeof(*inputs.items), compare_words);
		error = write_units(package, &inputs);
	}
	vg_words_clear(&inputs);
	return error;
}

static struct vg_error *prepare_program(struct vg_package *package, const char *program)
{
	_cleanup_free_ char *what = vg_format("program-%s", program);
	const char *step = what ? step_name(package, what) : NULL;
	_cleanup_free_ char *rules = vg_format("%s/build.ninja", package->build);
	_cleanup_free_ char *text = NULL;
	const char *from = vg_package_source_key(package);

	if (!step || !rules || !from)
		return vg_error_no_memory();
	package->compdb =
		vg_arena_printf(package->arena, "%s/compile_commands.json", package->build);
	if (access(rules, R_OK) < 0)
		return package->compdb ? NULL : vg_error_no_memory();
	package->compdb = vg_arena_printf(package->arena, "%s/%s.json", package->folder, step);
	if (!package->compdb)
		return vg_error_no_memory();
	if (vg_package_is_done(package, step, from))
		return NULL;
	VG_TRY(read_inputs(package, program, &text));
	VG_TRY(use_inputs(package, text));
	return vg_package_set_done(package, step, from);
}

struct vg_error *vg_package_configure(struct vg_package *package)
{
	VG_TRY(configure(package));
	return prepare_program(package, vg_manifest_target(package->manifest)->program);
}
