/* SPDX-License-Identifier: MIT */
#include "differ/dependencies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"

/* A file that some unit includes: looked at once, however many units include it. */
struct known_file {
	char *path;
	bool exists;
	struct vg_touched *touched; /* it is this file, as the tree has it */
	struct timespec mtime;
	dev_t device;
	ino_t inode;
};

struct known_log {
	char *directory;
	struct vg_ninja_log log;
};

struct vg_dependencies {
	struct vg_source_tree *tree;
	struct known_file *files; /* hash table, open addressing; capacity a power of two */
	size_t capacity, used;
	struct known_log *logs;
	size_t log_count;
};

struct vg_error *vg_dependencies_new(struct vg_source_tree *tree,
				     struct vg_dependencies **dependencies)
{
	struct vg_dependencies *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return vg_error_no_memory();
	fresh->tree = tree;
	fresh->capacity = 4096;
	fresh->files = calloc(fresh->capacity, sizeof(*fresh->files));
	if (!fresh->files) {
		free(fresh);
		return vg_error_no_memory();
	}
	*dependencies = fresh;
	return NULL;
}

void vg_dependencies_free(struct vg_dependencies *dependencies)
{
	if (!dependencies)
		return;
	for (size_t i = 0; i < dependencies->capacity; i++)
		free(dependencies->files[i].path);
	for (size_t i = 0; i < dependencies->log_count; i++) {
		free(dependencies->logs[i].directory);
		vg_ninja_log_clear(&dependencies->logs[i].log);
	}
	free(dependencies->files);
	free(dependencies->logs);
	free(dependencies);
}

static struct known_file *slot_of(struct known_file *files, size_t capacity, const char *path)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (const char *at = path; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 1099511628211u;

	size_t index = hash & (capacity - 1);

	while (files[index].path && strcmp(files[index].path, path))
		index = (index + 1) & (capacity - 1);
	return &files[index];
}

static struct vg_error *grow(struct vg_dependencies *dependencies)
{
	size_t capacity = dependencies->capacity * 2;
	struct known_file *files = calloc(capacity, sizeof(*files));

	if (!files)
		return vg_error_no_memory();
	for (size_t i = 0; i < dependencies->capacity; i++)
		if (dependencies->files[i].path)
			*slot_of(files, capacity, dependencies->files[i].path) =
				dependencies->files[i];
	free(dependencies->files);
	dependencies->files = files;
	dependencies->capacity = capacity;
	return NULL;
}

/* Takes `path` over, also on failure. */
static struct vg_error *know(struct vg_dependencies *dependencies, char *path,
			     const struct known_file **known)
{
	_cleanup_free_ char *owned = path;
	struct stat st;

	if (!owned)
		return vg_error_no_memory();
	if (dependencies->used * 2 >= dependencies->capacity)
		VG_TRY(grow(dependencies));

	struct known_file *slot = slot_of(dependencies->files, dependencies->capacity, owned);

	*known = slot;
	if (slot->path)
		return NULL;
	slot->path = vg_take(owned);
	dependencies->used++;
	slot->exists = !stat(slot->path, &st);
	if (!slot->exists)
		return NULL;
	slot->mtime = st.st_mtim;
	slot->device = st.st_dev;
	slot->inode = st.st_ino;
	slot->touched = vg_source_tree_find(dependencies->tree, &st);
	return NULL;
}

static bool is_newer(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* What a list of prerequisites says about the unit. */
struct verdict {
	struct timespec recorded;
	bool current; /* all are there and none is newer */
	bool own;     /* the unit's source is among them: the list is this unit's */
	bool touched;
};

static struct vg_error *judge(struct vg_dependencies *dependencies,
			      const struct vg_compile_command *command, const char *path,
			      struct verdict *verdict, struct vg_words *spelled)
{
	const struct known_file *source, *file;

	VG_TRY(know(dependencies, strdup(command->path), &source));
	/* the table may move while it grows */
	dev_t device = source->device;
	ino_t inode = source->inode;

	VG_TRY(know(dependencies, vg_path_join(command->directory, path), &file));
	verdict->current &= file->exists && !is_newer(file->mtime, verdict->recorded);
	verdict->own |= file->exists && file->device == device && file->inode == inode;
	if (file->touched) {
		verdict->touched = true;
		file->touched->reached = true;
		vg_words_add(spelled, file->path);
	}
	return vg_words_check(spelled);
}

static enum vg_reach conclude(const struct verdict *verdict)
{
	if (!verdict->own)
		return VG_REACH_UNKNOWN;
	if (verdict->touched)
		return VG_REACH_YES; /* also if out of date: one unit too many does no harm */
	return verdict->current ? VG_REACH_NO : VG_REACH_UNKNOWN;
}

static struct vg_error *ask_file(struct vg_dependencies *dependencies,
				 const struct vg_compile_command *command, const char *path,
				 struct vg_words *spelled, enum vg_reach *reach)
{
	struct verdict verdict = {.current = true};
	_cleanup_free_ char *text = NULL;
	struct vg_words list = {0};
	struct stat st;
	size_t size;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;

	struct vg_error *error = vg_read_file(path, VG_FAILED, &text, &size);

	if (error) { /* unreadable is the same as not there */
		vg_error_free(error);
		return NULL;
	}
	verdict.recorded = st.st_mtim;
	vg_make_rule_parse(text, &list);
	error = vg_words_check(&list);
	for (size_t i = 0; !error && i < list.count; i++)
		error = judge(dependencies, command, list.items[i], &verdict, spelled);
	vg_words_clear(&list);
	*reach = conclude(&verdict);
	return error;
}

/* -MF FILE in its spellings; NULL: the command does not name the file. */
static const char *named_file(const struct vg_compile_command *command)
{
	static const char *const prefixes[] = {"-Wp,-MD,", "-Wp,-MMD,", "-Wp,-MF,", "-MF", NULL};

	for (size_t i = 0; i < command->arguments.count; i++) {
		const char *word = command->arguments.items[i];

		for (size_t j = 0; prefixes[j]; j++)
			if (vg_starts_with(word, prefixes[j]))
				return word[strlen(prefixes[j])] ? word + strlen(prefixes[j])
								 : command->arguments.items[i + 1];
	}
	return NULL;
}

/* Where builds put dependency files: -MF, foo.d, foo.o.d (CMake), .deps/foo.Po (automake). */
static struct vg_error *candidates(const struct vg_compile_command *command, struct vg_words *paths)
{
	const char *named = named_file(command);
	const char *output = command->output;
	const char *dot = output ? strrchr(basename(output), '.') : NULL;

	if (named)
		vg_words_take(paths, vg_path_join(command->directory, named));
	if (dot) {
		const char *name = basename(output);
		int folder = (int)(name - output), stem = (int)(dot - name);

		vg_words_format(paths, "%.*s%.*s.d", folder, output, stem, name);
		vg_words_format(paths, "%s.d", output);
		vg_words_format(paths, "%.*s.deps/%.*s.Po", folder, output, stem, name);
		vg_words_format(paths, "%.*s.deps/%.*s.Plo", folder, output, stem, name);
	}
	return vg_words_check(paths);
}

static struct vg_error *load_log(const char *directory, struct known_log *known)
{
	_cleanup_free_ char *path = vg_path_join(directory, ".ninja_deps");
	_cleanup_free_ char *bytes = NULL;
	size_t size;

	known->directory = strdup(directory);
	if (!path || !known->directory)
		return vg_error_no_memory();

	struct vg_error *error =
		access(path, R_OK) ? NULL : vg_read_file(path, VG_FAILED, &bytes, &size);

	if (error) {
		vg_error_free(error);
		return NULL;
	}
	return bytes ? vg_ninja_log_parse(bytes, size, &known->log) : NULL;
}

static struct vg_error *log_of(struct vg_dependencies *dependencies, const char *directory,
			       const struct vg_ninja_log **log)
{
	for (size_t i = 0; i < dependencies->log_count; i++) {
		if (!strcmp(dependencies->logs[i].directory, directory)) {
			*log = &dependencies->logs[i].log;
			return NULL;
		}
	}

	struct known_log *logs =
		reallocarray(dependencies->logs, dependencies->log_count + 1, sizeof(*logs));

	if (!logs)
		return vg_error_no_memory();
	dependencies->logs = logs;
	logs[dependencies->log_count] = (struct known_log){0};
	*log = &logs[dependencies->log_count].log;
	return load_log(directory, &logs[dependencies->log_count++]);
}

static const struct vg_ninja_record *record_of(const struct vg_ninja_log *log,
					       const struct vg_compile_command *command)
{
	if (!command->output || !vg_path_is_under(command->output, command->directory) ||
	    strlen(command->output) <= strlen(command->directory))
		return NULL;
	return vg_ninja_log_find(log, command->output + strlen(command->directory) + 1);
}

static struct vg_error *ask_ninja(struct vg_dependencies *dependencies,
				  const struct vg_compile_command *command,
				  struct vg_words *spelled, enum vg_reach *reach)
{
	const struct vg_ninja_log *log = NULL;
	const struct vg_ninja_record *record;
	struct verdict verdict = {.current = true};

	VG_TRY(log_of(dependencies, command->directory, &log));
	record = record_of(log, command);
	if (!record)
		return NULL;
	verdict.recorded.tv_sec = record->mtime / 1000000000;
	verdict.recorded.tv_nsec = record->mtime % 1000000000;
	for (size_t i = 0; i < record->input_count; i++)
		VG_TRY(judge(dependencies, command, log->paths.items[record->inputs[i]], &verdict,
			     spelled));
	*reach = conclude(&verdict);
	return NULL;
}

struct vg_error *vg_dependencies_never_made(struct vg_dependencies *dependencies,
					    const struct vg_compile_command *command, bool *never)
{
	const struct vg_ninja_log *log;

	VG_TRY(log_of(dependencies, command->directory, &log));
	*never = log->sorted_count && command->output && !record_of(log, command) &&
		 access(command->output, F_OK) && errno == ENOENT;
	return NULL;
}

static struct vg_error *ask_files(struct vg_dependencies *dependencies,
				  const struct vg_compile_command *command,
				  struct vg_words *spelled, char **source, enum vg_reach *reach)
{
	struct vg_words paths = {0};
	struct vg_error *error = candidates(command, &paths);

	for (size_t i = 0; !error && *reach == VG_REACH_UNKNOWN && i < paths.count; i++) {
		error = ask_file(dependencies, command, paths.items[i], spelled, reach);
		if (*reach != VG_REACH_UNKNOWN)
			*source = strdup(paths.items[i]);
	}
	vg_words_clear(&paths);
	return error;
}

struct vg_error *vg_dependencies_ask(struct vg_dependencies *dependencies,
				     const struct vg_compile_command *command,
				     struct vg_words *spelled, char **source, enum vg_reach *reach)
{
	*reach = VG_REACH_UNKNOWN;
	*source = NULL;
	VG_TRY(ask_files(dependencies, command, spelled, source, reach));
	if (*reach != VG_REACH_UNKNOWN)
		return NULL;
	VG_TRY(ask_ninja(dependencies, command, spelled, reach));
	if (*reach != VG_REACH_UNKNOWN)
		*source = vg_format("%s/.ninja_deps", command->directory);
	return NULL;
}

static struct vg_touched *copy_of(struct vg_dependencies *dependencies,
				  const struct known_file *file)
{
	for (size_t i = 0; i < dependencies->tree->count; i++) {
		struct vg_touched *touched = &dependencies->tree->files[i];

		if (file->exists && touched->shadow_inode == file->inode &&
		    touched->shadow_device == file->device)
			return touched;
	}
	return NULL;
}

static struct vg_error *count_file(struct vg_dependencies *dependencies, char *path,
				   struct vg_words *spelled, struct vg_dependency_count *count)
{
	const struct known_file *file;

	VG_TRY(know(dependencies, path, &file));

	struct vg_touched *copy = copy_of(dependencies, file);

	count->copies += copy != NULL;
	count->originals += file->touched != NULL;
	count->precompiled += vg_ends_with(file->path, ".gch") || vg_ends_with(file->path, ".pch");
	if (copy)
		copy->reached = true;
	if (file->touched) {
		file->touched->reached = true;
		vg_words_add(spelled, file->path);
	}
	return vg_words_check(spelled);
}

struct vg_error *vg_dependencies_count(struct vg_dependencies *dependencies, const char *file,
				       const char *directory, const char *unmap,
				       struct vg_words *spelled, struct vg_dependency_count *count)
{
	_cleanup_free_ char *text = NULL;
	struct vg_words list = {0};
	size_t size;

	VG_TRY(vg_read_file(file, VG_FAILED, &text, &size));
	vg_make_rule_parse(text, &list);

	struct vg_error *error = vg_words_check(&list);

	for (size_t i = 0; !error && i < list.count; i++) {
		const char *path = list.items[i];

		if (unmap && vg_starts_with(path, unmap))
			path += strlen(unmap);
		error = count_file(dependencies, vg_path_join(directory, path), spelled, count);
	}
	vg_words_clear(&list);
	return error;
}

static struct vg_error *write_unmapped(const char *path, const char *text, const char *unmap)
{
	_cleanup_free_ char *plain = strdup(text);
	size_t length = strlen(unmap);
	char *to = plain;

	if (!plain)
		return vg_error_no_memory();
	for (const char *at = text; *at;) {
		if (length && vg_starts_with(at, unmap))
			at += length;
		else
			*to++ = *at++;
	}
	return vg_write_file(path, plain, (size_t)(to - plain), 0644);
}

struct vg_error *vg_dependencies_keep(const struct vg_compile_command *command, const char *file,
				      const char *unmap)
{
	const char *named = named_file(command);
	_cleanup_free_ char *text = NULL, *path = NULL, *folder = NULL;
	size_t size;

	if (!named)
		return NULL;
	path = vg_path_join(command->directory, named);
	folder = path ? vg_path_parent(path) : NULL;
	if (!folder)
		return vg_error_no_memory();
	if (access(folder, W_OK))
		return NULL; /* no object of this unit was ever made here */
	VG_TRY(vg_read_file(file, VG_FAILED, &text, &size));
	return write_unmapped(path, text, unmap);
}
