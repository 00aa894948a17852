/* SPDX-License-Identifier: MIT */
/*
 * The grammar that is read, line by line:
 *
 *   1. `diff --git A B` opens a file; the extended headers behind it say what happened to it.
 *   2. `--- A` followed by `+++ B` names a file; it opens one unless 1. just did.
 *   3. `@@ -start,count +start,count @@` opens a hunk of the file; the counts say how many lines
 *      belong to it, so that a removed line "-- x" is never taken for a header.
 *   4. Everything else between files (mail headers, `Index:`, `Only in`) is for people.
 */
#include "differ/diff.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/diff_name.h"

#define MAX_LINE_NUMBER 100000000u

struct parser {
	struct vg_diff *diff;
	const char *at, *end;
	unsigned line; /* of `at` */
	struct vg_diff_file *file;
};

struct span {
	const char *text;
	size_t length; /* without the newline */
	bool newline;
};

static struct span peek(const struct parser *parser)
{
	size_t left = parser->end - parser->at;
	const char *newline = left ? memchr(parser->at, '\n', left) : NULL;

	return (struct span){
		.text = parser->at,
		.length = newline ? (size_t)(newline - parser->at) : left,
		.newline = newline,
	};
}

static bool at_end(const struct parser *parser)
{
	return parser->at == parser->end;
}

static struct span next(struct parser *parser)
{
	struct span span = peek(parser);

	parser->at += span.length + span.newline;
	parser->line++;
	return span;
}

static bool begins(struct span span, const char *prefix)
{
	size_t length = strlen(prefix);

	return span.length >= length && !memcmp(span.text, prefix, length);
}

static bool ends_in_cr(struct span span)
{
	return span.length && span.text[span.length - 1] == '\r';
}

static struct span behind(struct span span, const char *prefix)
{
	span.text += strlen(prefix);
	span.length -= strlen(prefix);
	if (ends_in_cr(span))
		span.length--;
	return span;
}

static struct vg_error *open_file(struct parser *parser)
{
	struct vg_diff *diff = parser->diff;
	struct vg_diff_file *files =
		reallocarray(diff->files, diff->file_count + 1, sizeof(*files));

	if (!files)
		return vg_error_no_memory();
	diff->files = files;
	parser->file = &files[diff->file_count++];
	*parser->file = (struct vg_diff_file){.at = parser->line};
	return NULL;
}

/* The names of a renamed file stand without a/ and b/ in its own headers. */
static struct vg_error *set_renamed(char **name, struct span span, const char *prefix)
{
	_cleanup_free_ char *bare = NULL;

	VG_TRY(vg_diff_name(span.text, span.length, &bare));
	free(*name);
	*name = bare ? vg_path_join(prefix, bare) : NULL;
	return !bare || *name ? NULL : vg_error_no_memory();
}

static bool is_special_mode(struct span span)
{
	const char *mode = span.length >= 6 ? span.text + span.length - 6 : "";

	return !strncmp(mode, "120000", 6) || !strncmp(mode, "160000", 6);
}

/* An extended header of `diff --git`; false: the line is none. */
static bool is_extended_header(struct parser *parser, struct span span, struct vg_error **error)
{
	struct vg_diff_file *file = parser->file;

	if (begins(span, "new file mode ")) {
		file->created = true;
		file->special |= is_special_mode(behind(span, "new file mode "));
	} else if (begins(span, "deleted file mode ")) {
		file->deleted = true;
		file->special |= is_special_mode(behind(span, "deleted file mode "));
	} else if (begins(span, "rename from ")) {
		file->renamed = true;
		*error = set_renamed(&file->old_name, behind(span, "rename from "), "a");
	} else if (begins(span, "rename to ")) {
		*error = set_renamed(&file->new_name, behind(span, "rename to "), "b");
	} else if (begins(span, "copy from ")) {
		file->copied = true;
		*error = set_renamed(&file->old_name, behind(span, "copy from "), "a");
	} else if (begins(span, "copy to ")) {
		*error = set_renamed(&file->new_name, behind(span, "copy to "), "b");
	} else if (begins(span, "GIT binary patch") || begins(span, "Binary files ")) {
		file->binary = true;
	} else if (begins(span, "index ")) {
		file->special |= is_special_mode(behind(span, "index "));
	} else {
		return false;
	}
	return true;
}

static struct vg_error *parse_git_header(struct parser *parser)
{
	struct span span = behind(peek(parser), "diff --git ");
	struct vg_error *error = NULL;

	VG_TRY(open_file(parser));
	parser->file->git = true;
	parser->file->crlf = ends_in_cr(next(parser));
	VG_TRY(vg_diff_git_names(span.text, span.length, &parser->file->old_name,
				 &parser->file->new_name));
	while (!at_end(parser) && !error) {
		span = peek(parser);
		if (begins(span, "--- ") || begins(span, "diff ") || begins(span, "@@ "))
			break;
		is_extended_header(parser, span, &error);
		next(parser);
	}
	return error;
}

/* True when the header just read by parse_git_header() still waits for its names. */
static bool is_file_open(const struct parser *parser)
{
	return parser->file && parser->file->git && !parser->file->hunk_count;
}

static struct vg_error *parse_names(struct parser *parser, struct span old_line)
{
	bool prefixed_by_git = is_file_open(parser);

	if (!prefixed_by_git)
		VG_TRY(open_file(parser));

	struct vg_diff_file *file = parser->file;
	struct span old_span = behind(old_line, "--- ");
	struct span new_line = next(parser);
	struct span new_span = behind(new_line, "+++ ");

	free(vg_take(file->old_name));
	free(vg_take(file->new_name));
	file->crlf = ends_in_cr(new_line);
	VG_TRY(vg_diff_name(old_span.text, old_span.length, &file->old_name));
	VG_TRY(vg_diff_name(new_span.text, new_span.length, &file->new_name));
	if (!file->old_name && !file->new_name)
		return vg_error_new(VG_REFUSED, "%s:%u: the diff names no file", parser->diff->path,
				    parser->line);
	return NULL;
}

static bool read_number(const char **at, const char *end, unsigned *value)
{
	const char *start = *at;

	for (*value = 0; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		*value = *value * 10 + (**at - '0');
		if (*value > MAX_LINE_NUMBER)
			return false;
	}
	return *at > start;
}

static bool read_range(const char **at, const char *end, char sign, unsigned *start,
		       unsigned *count)
{
	if (*at >= end || *(*at)++ != sign || !read_number(at, end, start))
		return false;
	*count = 1;
	if (*at < end && **at == ',') {
		(*at)++;
		return read_number(at, end, count);
	}
	return true;
}

/* "@@ -start[,count] +start[,count] @@ …" */
static bool read_hunk_header(struct span span, struct vg_hunk *hunk)
{
	const char *at = span.text + 3, *end = span.text + span.length;

	return read_range(&at, end, '-', &hunk->old_start, &hunk->old_count) && at < end &&
	       *at++ == ' ' && read_range(&at, end, '+', &hunk->new_start, &hunk->new_count) &&
	       end - at >= 3 && !memcmp(at, " @@", 3);
}

static struct vg_error *damaged(const struct parser *parser, const struct vg_hunk *hunk,
				const char *what)
{
	return vg_error_new(VG_REFUSED, "%s:%u: the hunk that starts at line %u is damaged: %s",
			    parser->diff->path, parser->line, hunk->at, what);
}

/* One line of a hunk's body; an empty line is context whose blank was lost on the way. */
static struct vg_diff_line body_line(const struct parser *parser, struct span span)
{
	if (parser->file->crlf && ends_in_cr(span))
		span.length--;
	if (!span.length)
		return (struct vg_diff_line){.tag = ' ', .newline = true, .text = span.text};
	return (struct vg_diff_line){
		.tag = span.text[0],
		.newline = true,
		.text = span.text + 1,
		.length = span.length - 1,
	};
}

static bool add_line(struct vg_hunk *hunk, size_t *capacity, struct vg_diff_line line)
{
	if (hunk->line_count == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 16;
		struct vg_diff_line *lines = reallocarray(hunk->lines, more, sizeof(*lines));

		if (!lines)
			return false;
		hunk->lines = lines;
		*capacity = more;
	}
	hunk->lines[hunk->line_count++] = line;
	return true;
}

/* "\ No newline at end of file" speaks of the line before it. */
static void take_newline_marker(struct parser *parser, struct vg_hunk *hunk)
{
	if (!at_end(parser) && begins(peek(parser), "\\") && hunk->line_count) {
		hunk->lines[hunk->line_count - 1].newline = false;
		next(parser);
	}
}

static struct vg_error *parse_body(struct parser *parser, struct vg_hunk *hunk)
{
	unsigned old_left = hunk->old_count, new_left = hunk->new_count;
	size_t capacity = 0;

	while (old_left || new_left) {
		if (at_end(parser))
			return damaged(parser, hunk, "the diff ends inside it");

		struct vg_diff_line line = body_line(parser, peek(parser));
		bool old = line.tag != '+', new = line.tag != '-';

		if (!strchr(" +-", line.tag) || !line.tag)
			return damaged(parser, hunk, "a line starts with none of ' ', '+', '-'");
		if (old > old_left || new > new_left)
			return damaged(parser, hunk, "it has more lines than its header says");
		next(parser);
		old_left -= old;
		new_left -= new;
		if (!add_line(hunk, &capacity, line))
			return vg_error_no_memory();
		take_newline_marker(parser, hunk);
	}
	return NULL;
}

static struct vg_error *parse_hunk(struct parser *parser)
{
	struct vg_diff_file *file = parser->file;
	struct vg_hunk hunk = {.at = parser->line};

	if (!file)
		return vg_error_new(VG_USAGE, "%s:%u: a hunk without a file name before it",
				    parser->diff->path, parser->line);
	if (!read_hunk_header(next(parser), &hunk))
		return damaged(parser, &hunk, "its header is not @@ -line,count +line,count @@");

	struct vg_hunk *hunks = reallocarray(file->hunks, file->hunk_count + 1, sizeof(*hunks));

	if (!hunks)
		return vg_error_no_memory();
	file->hunks = hunks;
	hunks[file->hunk_count++] = hunk;
	return parse_body(parser, &hunks[file->hunk_count - 1]);
}

static bool is_names(const struct parser *parser, struct span old_line)
{
	return begins(old_line, "--- ") && begins(peek(parser), "+++ ");
}

static struct vg_error *parse_line(struct parser *parser)
{
	struct span span = peek(parser);

	if (begins(span, "diff --git "))
		return parse_git_header(parser);
	if (begins(span, "@@ -"))
		return parse_hunk(parser);
	if (begins(span, "@@@ ") || begins(span, "diff --cc "))
		return vg_error_new(VG_USAGE,
				    "%s:%u: a combined diff of a merge; make one with git diff A B",
				    parser->diff->path, parser->line);
	next(parser);
	return is_names(parser, span) ? parse_names(parser, span) : NULL;
}

/* A header line without names that any later line supplied: nothing can be done with it. */
static struct vg_error *check_names(const struct vg_diff *diff)
{
	for (size_t i = 0; i < diff->file_count; i++)
		if (!diff->files[i].old_name && !diff->files[i].new_name)
			return vg_error_new(VG_REFUSED, "%s:%u: cannot tell which file is meant",
					    diff->path, diff->files[i].at);
	return NULL;
}

struct vg_error *vg_diff_parse(const char *text, size_t size, const char *origin,
			       struct vg_diff **result)
{
	_cleanup_(vg_diff_cleanup) struct vg_diff *diff = calloc(1, sizeof(*diff));

	if (!diff || !(diff->path = strdup(origin)) || !(diff->text = malloc(size + 1)))
		return vg_error_no_memory();
	memcpy(diff->text, text, size);
	diff->text[size] = '\0';

	struct parser parser = {
		.diff = diff, .at = diff->text, .end = diff->text + size, .line = 1};

	while (!at_end(&parser))
		VG_TRY(parse_line(&parser));
	VG_TRY(check_names(diff));
	if (!diff->file_count)
		return vg_error_new(VG_USAGE, "%s is %s; give the output of git diff or diff -u",
				    origin, size ? "not a unified diff" : "empty");
	*result = vg_take(diff);
	return NULL;
}

struct vg_error *vg_diff_open(const char *path, struct vg_diff **diff)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	VG_TRY(vg_read_file(path, VG_USAGE, &text, &size));
	return vg_diff_parse(text, size, path, diff);
}

void vg_diff_free(struct vg_diff *diff)
{
	if (!diff)
		return;
	for (size_t i = 0; i < diff->file_count; i++) {
		struct vg_diff_file *file = &diff->files[i];

		for (size_t j = 0; j < file->hunk_count; j++)
			free(file->hunks[j].lines);
		free(file->hunks);
		free(file->old_name);
		free(file->new_name);
	}
	free(diff->files);
	free(diff->path);
	free(diff->text);
	free(diff);
}
