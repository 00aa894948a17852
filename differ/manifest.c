/* SPDX-License-Identifier: MIT */
/*
 * Reading a manifest: lines of `key: value`. A table says for each key what its words are and where
 * they go; an `include` is read in place. What is missing in the end is looked for in one list.
 */
#include "differ/manifest.h"

#include <ctype.h>
#include <string.h>
#include <vgraft/patch.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_object.h"
#include "common/text_file.h"
#include "differ/compile_files.h"

#define MAX_BYTES 65536 /* of one file */
#define MAX_DEPTH 4	/* of includes */
#define MAX_WORDS 64	/* in a line */

struct words {
	const char *at[MAX_WORDS];
	size_t count;
};

struct reader {
	struct vg_manifest *manifest;
	struct vg_arena *arena;
	const char *path;
	const char *folder; /* NULL: there is none, an include is refused */
	unsigned line, depth;
	struct words words; /* of the line */
};

typedef struct vg_error *take_fn(struct reader *reader, const char *value, struct words *words);

#define complain(reader, ...)                                                                      \
	vg_error_prefix(vg_error_new(VG_USAGE, __VA_ARGS__), "%s:%u", (reader)->path,              \
			(reader)->line)

static struct vg_error *take_text(struct reader *reader, const char *value, const char **field,
				  const char *key)
{
	if (*field)
		return complain(reader, "`%s` stands here for the second time", key);
	*field = value;
	return NULL;
}

static struct vg_error *check(struct reader *reader, bool fits, const char *word, const char *what)
{
	return fits ? NULL : complain(reader, "\"%s\" is no %s", word, what);
}

static struct vg_error *take_patch(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, vg_patch_name_is_valid(value), value,
		     "name for a patch: 1 to 63 letters, digits and ._+-"));
	return take_text(reader, value, &reader->manifest->name, "patch");
}

#define push(reader, list, value)                                                                  \
	(vg_list_push((reader)->arena, (list), (value)) ? NULL : vg_error_no_memory())

static struct vg_error *take_cve(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, vg_manifest_is_name(value), value, "CVE identifier"));
	return push(reader, &reader->manifest->cves, value);
}

static struct vg_error *take_depends(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, vg_patch_name_is_valid(value), value, "name of a patch"));
	return push(reader, &reader->manifest->depends, value);
}

/* A patch of several fixes takes what lies beside their manifests. */
static struct vg_error *path_beside(struct reader *reader, const char *value, const char **path)
{
	const char *below = value;

	while (!strncmp(below, "../", 3))
		below += 3;
	VG_TRY(check(reader, vg_manifest_is_path(below), value,
		     "path of a file, seen from the manifest"));
	*path = vg_arena_printf(reader->arena, "%s/%s", reader->folder ?: ".", value);
	return *path ? NULL : vg_error_no_memory();
}

static struct vg_error *take_hooks(struct reader *reader, const char *value, struct words *words)
{
	const char *path;

	(void)words;
	VG_TRY(path_beside(reader, value, &path));
	return push(reader, &reader->manifest->hooks, path);
}

static struct vg_error *take_diff(struct reader *reader, const char *value, struct words *words)
{
	const char *path;

	(void)words;
	VG_TRY(path_beside(reader, value, &path));
	return push(reader, &reader->manifest->diffs, path);
}

static struct vg_error *take_allow(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, vg_manifest_is_name(value), value, "rule"));
	return push(reader, &reader->manifest->allow, value);
}

static struct vg_error *take_replace(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, !strcmp(value, "yes"), value,
		     "answer to `replace`: say yes, or nothing"));
	reader->manifest->replace = true;
	return NULL;
}

static struct vg_error *take_repairs(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	return take_text(reader, value, &reader->manifest->repairs, "repairs");
}

static struct vg_error *take_shows(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	return take_text(reader, value, &reader->manifest->shows, "shows");
}

static struct vg_error *take_live(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	return take_text(reader, value, &reader->manifest->live, "live");
}

static struct vg_error *take_source(struct reader *reader, const char *value, struct words *words)
{
	(void)value;
	VG_TRY(check(reader, vg_manifest_is_name(words->at[0]), words->at[0], "source package"));
	VG_TRY(check(reader, vg_manifest_is_version(words->at[1]), words->at[1], "version"));
	VG_TRY(take_text(reader, words->at[0], &reader->manifest->source, "source"));
	reader->manifest->source_version = words->at[1];
	return NULL;
}

static struct vg_error *take_named(struct reader *reader, struct words *words,
				   struct vg_manifest_file *file)
{
	VG_TRY(check(reader, vg_manifest_is_name(words->at[0]), words->at[0],
		     "file or package name"));
	VG_TRY(check(reader, vg_manifest_is_hex(words->at[1], 64, 64), words->at[1],
		     "SHA-256: 64 digits of 0-9 a-f"));
	*file = (struct vg_manifest_file){words->at[0], words->at[1]};
	return NULL;
}

static struct vg_error *take_file(struct reader *reader, const char *value, struct words *words)
{
	struct vg_manifest_file file;

	(void)value;
	VG_TRY(take_named(reader, words, &file));
	return push(reader, &reader->manifest->files, file);
}

static struct vg_error *take_package(struct reader *reader, const char *value, struct words *words)
{
	struct vg_manifest_file file;

	(void)value;
	VG_TRY(take_named(reader, words, &file));
	return push(reader, &reader->manifest->packages, file);
}

static struct vg_error *take_leave_out(struct reader *reader, const char *value,
				       struct words *words)
{
	(void)value;
	for (size_t i = 0; i < words->count; i++) {
		VG_TRY(check(reader, vg_manifest_is_path(words->at[i]), words->at[i], "patch"));
		VG_TRY(push(reader, &reader->manifest->left_out, words->at[i]));
	}
	return NULL;
}

static struct vg_error *take_version(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, vg_manifest_is_version(value), value, "version"));
	return take_text(reader, value, &reader->manifest->version, "version");
}

static struct vg_error *take_binary(struct reader *reader, const char *value, struct words *words)
{
	struct vg_manifest_binary binary = {words->at[0], words->at[1], words->at[2], words->at[3]};

	(void)value;
	VG_TRY(check(reader, vg_manifest_is_name(binary.package), binary.package, "package"));
	VG_TRY(check(reader, vg_manifest_is_path(binary.path), binary.path, "path in a package"));
	VG_TRY(check(reader, vg_manifest_is_hex(binary.build_id, 2, (size_t)2 * VGP_MAX_BUILD_ID),
		     binary.build_id, "build-id"));
	VG_TRY(check(reader, vg_manifest_is_path(binary.program), binary.program,
		     "program of a build"));
	return push(reader, &reader->manifest->binaries, binary);
}

static struct vg_error *take_configure(struct reader *reader, const char *value,
				       struct words *words)
{
	(void)words;
	return push(reader, &reader->manifest->configure, value);
}

static struct vg_error *take_build(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, vg_manifest_is_path(value), value, "path in the source tree"));
	return take_text(reader, value, &reader->manifest->build, "build");
}

static struct vg_error *take_target(struct reader *reader, const char *value, struct words *words)
{
	(void)words;
	VG_TRY(check(reader, vg_manifest_is_path(value), value, "path in a package"));
	return take_text(reader, value, &reader->manifest->target, "target");
}

static struct vg_error *start_hunks(struct reader *reader, struct words *words,
				    struct vg_manifest_hunks *hunks)
{
	VG_TRY(check(reader, vg_manifest_is_path(words->at[0]), words->at[0], "patch"));
	*hunks = (struct vg_manifest_hunks){
		.where = vg_arena_printf(reader->arena, "%s:%u", reader->path, reader->line),
		.patch = words->at[0],
	};
	return hunks->where ? NULL : vg_error_no_memory();
}

static struct vg_error *take_hunks(struct reader *reader, const char *value, struct words *words)
{
	struct vg_manifest_hunks hunks;

	(void)value;
	VG_TRY(start_hunks(reader, words, &hunks));
	VG_TRY(check(reader, vg_manifest_is_path(words->at[1]), words->at[1],
		     "path in the source tree"));
	hunks.file = words->at[1];
	for (size_t i = 2; i < words->count; i++)
		VG_TRY(push(reader, &hunks.functions, words->at[i]));
	hunks.found = vg_arena_alloc(reader->arena, words->count, sizeof(*hunks.found));
	if (!hunks.found)
		return vg_error_no_memory();
	return push(reader, &reader->manifest->hunks, hunks);
}

static struct vg_error *take_commit(struct reader *reader, const char *value, struct words *words)
{
	struct vg_manifest_hunks hunks;

	(void)value;
	VG_TRY(start_hunks(reader, words, &hunks));
	hunks.title = words->at[1];
	return push(reader, &reader->manifest->hunks, hunks);
}

static struct vg_error *read_file(struct reader *reader, const char *path);

static struct vg_error *take_include(struct reader *reader, const char *value, struct words *words)
{
	struct reader inner = *reader;
	const char *path;

	(void)words;
	if (!reader->folder)
		return complain(reader, "an include needs a file to be found beside");
	if (reader->depth == MAX_DEPTH)
		return complain(reader, "includes are nested more than %d deep", MAX_DEPTH);
	path = *value == '/' ? value
			     : vg_arena_printf(reader->arena, "%s/%s", reader->folder, value);
	if (!path)
		return vg_error_no_memory();
	inner.depth++;
	struct vg_error *error = read_file(&inner, path);

	return error ? vg_error_prefix(error, "%s:%u", reader->path, reader->line) : NULL;
}

static const struct key {
	const char *name;
	size_t least, most; /* words; most 0: the rest of the line, as it is */
	take_fn *take;
	const char *form;
} keys[] = {
	{"include", 1, 1, take_include, "FILE"},
	{"patch", 1, 1, take_patch, "NAME"},
	{"cve", 1, 1, take_cve, "ID"},
	{"depends", 1, 1, take_depends, "NAME"},
	{"replace", 1, 1, take_replace, "yes"},
	{"hooks", 1, 1, take_hooks, "FILE.c"},
	{"allow", 1, 1, take_allow, "RULE"},
	{"repairs", 1, 0, take_repairs, "SENTENCE"},
	{"shows", 1, 0, take_shows, "SENTENCE"},
	{"live", 1, 0, take_live, "SENTENCE"},
	{"source", 2, 2, take_source, "PACKAGE VERSION"},
	{"file", 2, 2, take_file, "NAME SHA256"},
	{"leave-out", 1, MAX_WORDS, take_leave_out, "PATCH..."},
	{"version", 1, 1, take_version, "VERSION"},
	{"package", 2, 2, take_package, "NAME SHA256"},
	{"binary", 4, 4, take_binary, "PACKAGE PATH BUILD-ID PROGRAM"},
	{"configure", 1, 0, take_configure, "COMMAND"},
	{"build", 1, 1, take_build, "DIRECTORY"},
	{"target", 1, 1, take_target, "PATH"},
	{"hunks", 2, MAX_WORDS, take_hunks, "PATCH FILE [FUNCTION...]"},
	{"commit", 2, 0, take_commit, "PATCH TITLE"},
	{"diff", 1, 1, take_diff, "FILE"},
};

static const struct key *find_key(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].name) == length && !strncmp(keys[i].name, name, length))
			return &keys[i];
	return NULL;
}

/* Words behind the last that the array holds are counted but not kept: too many, in any case. */
static struct vg_error *split(struct reader *reader, const char *value, struct words *words)
{
	for (const char *at = value + strspn(value, " \t"); *at; at += strspn(at, " \t")) {
		size_t length = strcspn(at, " \t");

		if (words->count == MAX_WORDS)
			return complain(reader, "more than %d words", MAX_WORDS);
		words->at[words->count] = vg_arena_strndup(reader->arena, at, length);
		if (!words->at[words->count++])
			return vg_error_no_memory();
		at += length;
	}
	return NULL;
}

/* The first word, and the rest as it is. */
static struct vg_error *split_once(struct reader *reader, const char *value, struct words *words)
{
	size_t length = strcspn(value, " \t");
	const char *rest = value + length;

	rest += strspn(rest, " \t");
	words->at[0] = vg_arena_strndup(reader->arena, value, length);
	words->at[1] = rest;
	words->count = !!*value + !!*rest;
	return words->at[0] ? NULL : vg_error_no_memory();
}

static struct vg_error *take_line(struct reader *reader, char *line)
{
	size_t length = strcspn(line, ":");
	const struct key *key = find_key(line, length);
	struct words *words = &reader->words;
	char *value = line + length;
	char *end = line + strlen(line);

	words->count = 0;
	if (!*value)
		return complain(reader, "this is no line of the form `key: value`");
	if (!key)
		return complain(reader, "there is no key \"%.*s\"; vgraft-manifest(5) lists them",
				(int)(length < 40 ? length : 40), line);
	value++;
	value += strspn(value, " \t");
	while (end > value && isspace((unsigned char)end[-1]))
		*--end = '\0';
	VG_TRY(key->most ? split(reader, value, words) : split_once(reader, value, words));
	if (words->count < key->least || (key->most && words->count > key->most))
		return complain(reader, "the form is `%s: %s`", key->name, key->form);
	return key->take(reader, value, words);
}

static struct vg_error *read_lines(struct reader *reader, char *text, size_t size)
{
	if (size > MAX_BYTES)
		return vg_error_new(VG_USAGE, "%s: a manifest has at most %d bytes", reader->path,
				    MAX_BYTES);
	if (memchr(text, '\0', size))
		return vg_error_new(VG_USAGE, "%s holds a NUL byte; a manifest is text",
				    reader->path);
	for (char *line; (line = strsep(&text, "\n"));) {
		const char *first = line + strspn(line, " \t\r");

		reader->line++;
		if (*first && *first != '#')
			VG_TRY(take_line(reader, line));
	}
	return NULL;
}

static struct vg_error *read_file(struct reader *reader, const char *path)
{
	_cleanup_free_ char *bytes = NULL, *parent = vg_path_parent(path);
	size_t size;
	char *text;

	if (!parent)
		return vg_error_no_memory();
	VG_TRY(vg_text_file_read(path, &bytes, &size));
	text = vg_arena_alloc(reader->arena, size + 1, 1);
	reader->folder = vg_arena_strdup(reader->arena, parent);
	if (!text || !reader->folder)
		return vg_error_no_memory();
	memcpy(text, bytes, size);
	reader->path = path;
	reader->line = 0;
	return read_lines(reader, text, size);
}

static struct vg_error *missing(const struct vg_manifest *manifest, const char *key)
{
	return vg_error_new(VG_USAGE, "%s: `%s` is missing; see vgraft-manifest(5)", manifest->path,
			    key);
}

static bool has_package(const struct vg_manifest *manifest, const char *name)
{
	for (size_t i = 0; i < manifest->packages.count; i++)
		if (!strcmp(manifest->packages.at[i].name, name))
			return true;
	return false;
}

static struct vg_error *check_complete(const struct vg_manifest *manifest)
{
	const struct {
		bool there;
		const char *key;
	} needed[] = {
		{manifest->name, "patch"},
		{manifest->repairs, "repairs"},
		{manifest->source, "source"},
		{manifest->files.count, "file"},
		{manifest->version, "version"},
		{manifest->packages.count, "package"},
		{manifest->binaries.count, "binary"},
		{manifest->configure.count, "configure"},
		{manifest->build, "build"},
		{manifest->target, "target"},
		{manifest->hunks.count || manifest->diffs.count, "hunks"},
	};
	const struct vg_manifest_binary *target;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!needed[i].there)
			return missing(manifest, needed[i].key);
	target = vg_manifest_target(manifest);
	if (!target)
		return vg_error_new(VG_USAGE, "%s: no `binary` has the path of `target: %s`",
				    manifest->path, manifest->target);
	if (!has_package(manifest, target->package))
		return vg_error_new(VG_USAGE, "%s: %s is of %s, which no `package` line names",
				    manifest->path, target->path, target->package);
	return NULL;
}

const struct vg_manifest_binary *vg_manifest_target(const struct vg_manifest *manifest)
{
	for (size_t i = 0; i < manifest->binaries.count; i++)
		if (!strcmp(manifest->binaries.at[i].path, manifest->target))
			return &manifest->binaries.at[i];
	return NULL;
}

static struct vg_error *start(struct vg_arena *arena, const char *path, struct reader *reader)
{
	*reader = (struct reader){.arena = arena, .path = vg_arena_strdup(arena, path)};
	reader->manifest = vg_arena_alloc(arena, 1, sizeof(*reader->manifest));
	if (!reader->path || !reader->manifest)
		return vg_error_no_memory();
	reader->manifest->arena = arena;
	reader->manifest->path = reader->path;
	return NULL;
}

struct vg_error *vg_manifest_open(struct vg_arena *arena, const char *path,
				  struct vg_manifest **manifest)
{
	struct reader reader;

	VG_TRY(start(arena, path, &reader));
	VG_TRY(read_file(&reader, reader.path));
	reader.manifest->folder = reader.folder;
	*manifest = reader.manifest;
	return check_complete(*manifest);
}

struct vg_error *vg_manifest_parse(struct vg_arena *arena, const char *text, size_t size,
				   const char *origin, struct vg_manifest **manifest)
{
	struct reader reader;
	char *copy;

	VG_TRY(start(arena, origin, &reader));
	copy = vg_arena_alloc(arena, size + 1, 1);
	if (!copy)
		return vg_error_no_memory();
	memcpy(copy, text, size);
	*manifest = reader.manifest;
	VG_TRY(read_lines(&reader, copy, size));
	return check_complete(*manifest);
}
