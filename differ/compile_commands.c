/* SPDX-License-Identifier: MIT */
#include "differ/compile_commands.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"

#define MAX_RESPONSE_DEPTH 8

static void add_response_file(struct vg_words *words, const char *directory, const char *word,
			      unsigned depth);

static void add_argument(struct vg_words *words, const char *directory, const char *word,
			 unsigned depth)
{
	if (word[0] == '@' && word[1] && depth < MAX_RESPONSE_DEPTH)
		add_response_file(words, directory, word, depth);
	else
		vg_words_add(words, word);
}

/* As gcc and clang do, a file that cannot be read leaves the argument as it is. */
static void add_response_file(struct vg_words *words, const char *directory, const char *word,
			      unsigned depth)
{
	_cleanup_free_ char *path = vg_path_join(directory, word + 1);
	_cleanup_free_ char *text = NULL;
	struct vg_words read = {0};
	size_t size;
	struct vg_error *error =
		path ? vg_read_file(path, VG_USAGE, &text, &size) : vg_error_no_memory();

	if (error) {
		vg_error_free(error);
		vg_words_add(words, word);
		return;
	}
	vg_command_split(text, &read);
	for (size_t i = 0; i < read.count; i++)
		add_argument(words, directory, read.items[i], depth + 1);
	words->failed |= read.failed;
	vg_words_clear(&read);
}

/* The object: "output", else -o. Only for telling entries apart and finding what lies beside. */
static char *find_output(const struct vg_compile_command *command, const char *recorded)
{
	const char *output = recorded;

	for (size_t i = 0; !output && i < command->arguments.count; i++) {
		const char *word = command->arguments.items[i];

		if (!strcmp(word, "-o"))
			output = command->arguments.items[i + 1];
		else if (vg_starts_with(word, "-o") && word[2])
			output = word + 2;
	}
	return output ? vg_path_join(command->directory, output) : NULL;
}

static struct vg_error *read_arguments(struct vg_compile_command *command, const json_t *entry)
{
	const json_t *list = json_object_get(entry, "arguments");
	const char *line = json_string_value(json_object_get(entry, "command"));
	struct vg_words words = {0};
	size_t i;
	json_t *item;

	if (json_is_array(list)) {
		json_array_foreach(list, i, item)
			vg_words_add(&words, json_string_value(item) ?: "");
	} else {
		vg_command_split(line ?: "", &words);
	}
	for (i = 0; i < words.count; i++)
		add_argument(&command->arguments, command->directory, words.items[i], 0);
	command->arguments.failed |= words.failed;
	vg_words_clear(&words);
	return vg_words_check(&command->arguments);
}

static struct vg_error *read_entry(struct vg_compile_command *command, const json_t *entry,
				   const char *base)
{
	const char *directory = json_string_value(json_object_get(entry, "directory"));
	const char *file = json_string_value(json_object_get(entry, "file"));
	const char *output = json_string_value(json_object_get(entry, "output"));

	if (!file)
		return vg_error_new(VG_USAGE, "an entry without \"file\"");
	command->directory = vg_path_join(base, directory ?: "");
	command->file = strdup(file);
	if (!command->directory || !command->file)
		return vg_error_no_memory();

	_cleanup_free_ char *joined = vg_path_join(command->directory, file);

	command->path = joined ? vg_path_normal(joined) : NULL;
	if (!command->path)
		return vg_error_no_memory();
	VG_TRY(read_arguments(command, entry));
	if (!command->arguments.count)
		return vg_error_new(VG_USAGE,
				    "the entry of %s has neither \"command\" nor "
				    "\"arguments\"",
				    file);
	command->output = find_output(command, output);
	return NULL;
}

static struct vg_error *read_entries(struct vg_compile_commands *commands, const char *path,
				     const json_t *root)
{
	_cleanup_free_ char *parent = vg_path_parent(path);
	char base[PATH_MAX];

	if (!parent || !realpath(parent, base))
		return vg_error_errno(VG_USAGE, errno, "cannot open the folder of %s", path);

	size_t count = commands->count + json_array_size(root);
	struct vg_compile_command *grown =
		reallocarray(commands->commands, count + 1, sizeof(*grown));

	if (!grown)
		return vg_error_no_memory();
	commands->commands = grown;
	for (size_t i = 0; i < json_array_size(root); i++) {
		struct vg_compile_command *command = &grown[commands->count++];

		*command = (struct vg_compile_command){0};

		struct vg_error *error = read_entry(command, json_array_get(root, i), base);

		if (error)
			return vg_error_prefix(error, "cannot use %s: entry %zu", path, i + 1);
	}
	return NULL;
}

struct vg_error *vg_compile_commands_add(const char *path, struct vg_compile_commands *commands)
{
	_cleanup_free_ char *text = NULL;
	json_error_t where;
	size_t size;

	VG_TRY(vg_read_file(path, VG_USAGE, &text, &size));
	if (!commands->path && !(commands->path = strdup(path)))
		return vg_error_no_memory();

	json_t *root = json_loadb(text, size, 0, &where);
	struct vg_error *error;

	if (!root)
		return vg_error_new(VG_USAGE, "%s:%d: not JSON: %s", path, where.line, where.text);
	if (!json_is_array(root) || !json_array_size(root))
		error = vg_error_new(VG_USAGE,
				     "%s is no compilation database, or an empty one; "
				     "make one with cmake, meson or bear",
				     path);
	else
		error = read_entries(commands, path, root);
	json_decref(root);
	return error;
}

void vg_compile_commands_clear(struct vg_compile_commands *commands)
{
	for (size_t i = 0; i < commands->count; i++) {
		struct vg_compile_command *command = &commands->commands[i];

		free(command->directory);
		free(command->file);
		free(command->path);
		free(command->output);
		vg_words_clear(&command->arguments);
	}
	free(commands->commands);
	free(commands->path);
	*commands = (struct vg_compile_commands){0};
}
