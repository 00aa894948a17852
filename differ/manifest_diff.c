/* SPDX-License-Identifier: MIT */
/*
 * Picks the hunks that a manifest asks for out of the patches of the source package:
 *
 *   by file and function   a hunk belongs to a function that its heading names, or one of its
 *                          lines that begins in the first column (where C has definitions)
 *   by commit title        all hunks behind the `Subject:` or `Description:` of that title, up to
 *                          the next mail of the file
 *
 * The text of a hunk is copied as it stands.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"
#include "differ/compile_words.h"
#include "differ/diff.h"
#include "differ/manifest.h"

struct selection {
	struct vg_manifest_hunks *hunks;
	const char *path; /* of the patch */
	FILE *out;
	size_t taken;
};

static bool is_in_function(const struct vg_hunk *hunk, const char *heading, const char *function)
{
	if (vg_has_word(heading, strcspn(heading, "\n"), function))
		return true;
	for (size_t i = 0; i < hunk->line_count; i++) {
		const struct vg_diff_line *line = &hunk->lines[i];

		if (line->length && vg_is_word_character(line->text[0]) &&
		    vg_has_word(line->text, line->length, function))
			return true;
	}
	return false;
}

static bool is_wanted(struct selection *selection, const struct vg_hunk *hunk, const char *heading)
{
	struct vg_manifest_hunks *hunks = selection->hunks;
	bool wanted = !hunks->functions.count;

	for (size_t i = 0; i < hunks->functions.count; i++) {
		if (!is_in_function(hunk, heading, hunks->functions.at[i]))
			continue;
		hunks->found[i] = true;
		wanted = true;
	}
	return wanted;
}

static void write_header(FILE *out, const struct vg_diff_file *file)
{
	fprintf(out, "--- %s\n+++ %s\n", file->old_name ?: "/dev/null",
		file->new_name ?: "/dev/null");
}

static void write_hunk(FILE *out, const struct vg_hunk *hunk)
{
	fprintf(out, "@@ -%u,%u +%u,%u @@\n", hunk->old_start, hunk->old_count, hunk->new_start,
		hunk->new_count);
	for (size_t i = 0; i < hunk->line_count; i++) {
		const struct vg_diff_line *line = &hunk->lines[i];

		fprintf(out, "%c%.*s\n%s", line->tag, (int)line->length, line->text,
			line->newline ? "" : "\\ No newline at end of file\n");
	}
}

/* What stands behind the second @@ of the hunk's line. */
static const char *heading_of(const char *text, unsigned line)
{
	const char *end;

	for (unsigned i = 1; i < line && text; i++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	end = text ? strstr(text, " @@") : NULL;
	return end && end < text + strcspn(text, "\n") ? end + 3 : "";
}

static void take_file(struct selection *selection, const struct vg_diff_file *file,
		      const char *text)
{
	bool is_open = false;

	for (size_t i = 0; i < file->hunk_count; i++) {
		const struct vg_hunk *hunk = &file->hunks[i];

		if (!is_wanted(selection, hunk, heading_of(text, hunk->at)))
			continue;
		if (!is_open)
			write_header(selection->out, file);
		is_open = true;
		write_hunk(selection->out, hunk);
		selection->taken++;
	}
}

static bool is_named(const char *name, const char *path)
{
	const char *slash = name ? strchr(name, '/') : NULL;

	return name && (!strcmp(name, path) || (slash && !strcmp(slash + 1, path)));
}

static void take_files(struct selection *selection, const struct vg_diff *diff, const char *text)
{
	const char *wanted = selection->hunks->file;

	for (size_t i = 0; i < diff->file_count; i++) {
		const struct vg_diff_file *file = &diff->files[i];

		if (!wanted || is_named(file->new_name, wanted) || is_named(file->old_name, wanted))
			take_file(selection, file, text);
	}
}

/* "Subject: [PATCH 2/7] Title" has the title; a long one goes on in lines that begin with a blank.
 */
static bool is_title(const char *line, const char *title)
{
	static const char *const keys[] = {"Subject:", "Description:"};
	const char *at = NULL;

	for (size_t i = 0; i < 2; i++)
		if (vg_starts_with(line, keys[i]))
			at = line + strlen(keys[i]);
	if (!at)
		return false;
	at += strspn(at, " \t");
	if (*at == '[' && strcspn(at, "]\n") < strcspn(at, "\n"))
		at += strcspn(at, "]") + 1;
	at += strspn(at, " \t");
	for (; *title; title++) {
		if (*at == '\n' && at[1] == ' ' && *title == ' ') {
			at += 2;
			continue;
		}
		if (*at++ != *title)
			return false;
	}
	return at[strspn(at, " \t\r")] == '\n' && at[strspn(at, " \t\r") + 1] != ' ';
}

/* The part of a patch that begins at the title; *size is set. NULL: there is no such title. */
static const char *find_commit(const char *text, const char *title, size_t *size)
{
	const char *line = text, *next;

	while (line && !is_title(line, title))
		line = (next = strchr(line, '\n')) ? next + 1 : NULL;
	if (!line)
		return NULL;
	next = strstr(line, "\nFrom ");
	*size = next ? (size_t)(next + 1 - line) : strlen(line);
	return line;
}

static struct vg_error *nothing_found(const struct selection *selection)
{
	const struct vg_manifest_hunks *hunks = selection->hunks;

	if (!selection->taken && hunks->title)
		return vg_error_new(VG_USAGE, "%s: %s has no hunk of a commit \"%s\"", hunks->where,
				    selection->path, hunks->title);
	if (!selection->taken && !hunks->functions.count)
		return vg_error_new(VG_USAGE, "%s: %s does not change %s", hunks->where,
				    selection->path, hunks->file);
	for (size_t i = 0; i < hunks->functions.count; i++)
		if (!hunks->found[i])
			return vg_error_new(VG_USAGE, "%s: %s has no hunk of %s in %s",
					    hunks->where, selection->path, hunks->functions.at[i],
					    hunks->file);
	return NULL;
}

static struct vg_error *select_hunks(struct selection *selection)
{
	_cleanup_free_ char *bytes = NULL;
	_cleanup_(vg_diff_cleanup) struct vg_diff *diff = NULL;
	struct vg_manifest_hunks *hunks = selection->hunks;
	struct vg_error *error;
	const char *text;
	size_t size;

	error = vg_text_file_read(selection->path, &bytes, &size);
	if (error)
		return vg_error_prefix(error, "%s", hunks->where);
	text = hunks->title ? find_commit(bytes, hunks->title, &size) : bytes;
	if (!text)
		return nothing_found(selection);
	VG_TRY(vg_diff_parse(text, size, selection->path, &diff));
	take_files(selection, diff, text);
	return nothing_found(selection);
}

static struct vg_error *select_all(struct vg_manifest *manifest, const char *patches, FILE *out)
{
	for (size_t i = 0; i < manifest->hunks.count; i++) {
		struct selection selection = {.hunks = &manifest->hunks.at[i], .out = out};

		selection.path =
			vg_arena_printf(manifest->arena, "%s/%s", patches, selection.hunks->patch);
		if (!selection.path)
			return vg_error_no_memory();
		VG_TRY(select_hunks(&selection));
	}
	return NULL;
}

static struct vg_error *add_own(const struct vg_manifest *manifest, FILE *out)
{
	for (size_t i = 0; i < manifest->diffs.count; i++) {
		_cleanup_free_ char *bytes = NULL;
		size_t size;

		VG_TRY(vg_text_file_read(manifest->diffs.at[i], &bytes, &size));
		fwrite(bytes, 1, size, out);
	}
	return NULL;
}

struct vg_error *vg_manifest_diff(struct vg_manifest *manifest, const char *patches,
				  const char **diff, size_t *size)
{
	_cleanup_free_ char *text = NULL;
	struct vg_error *error;
	FILE *out = open_memstream(&text, size);

	if (!out)
		return vg_error_no_memory();
	error = select_all(manifest, patches, out);
	if (!error)
		error = add_own(manifest, out);
	if (fclose(out) && !error)
		error = vg_error_no_memory();
	if (error)
		return error;
	*diff = vg_arena_strndup(manifest->arena, text, *size);
	return *diff ? NULL : vg_error_no_memory();
}
