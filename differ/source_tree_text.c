/* SPDX-License-Identifier: MIT */
#include "differ/source_tree_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

static size_t count_lines(const char *bytes, size_t size)
{
	size_t count = 0;

	for (const char *at = bytes, *end = bytes + size; at < end; count++) {
		const char *newline = memchr(at, '\n', end - at);

		at = newline ? newline + 1 : end;
	}
	return count;
}

struct vg_error *vg_text_split(const char *bytes, size_t size, struct vg_text *text)
{
	const char *end = bytes + size;

	text->count = 0;
	text->lines = calloc(count_lines(bytes, size) + 1, sizeof(*text->lines));
	if (!text->lines)
		return vg_error_no_memory();
	for (const char *at = bytes; at < end;) {
		const char *newline = memchr(at, '\n', end - at);
		struct vg_line *line = &text->lines[text->count++];

		*line = (struct vg_line){
			.text = at,
			.length = (newline ? newline : end) - at,
			.origin = text->count,
			.newline = newline,
		};
		at = newline ? newline + 1 : end;
	}
	return NULL;
}

struct vg_error *vg_text_copy(const struct vg_text *text, struct vg_text *copy)
{
	copy->count = text->count;
	copy->lines = calloc(text->count + 1, sizeof(*copy->lines));
	if (!copy->lines)
		return vg_error_no_memory();
	if (text->count)
		memcpy(copy->lines, text->lines, text->count * sizeof(*text->lines));
	return NULL;
}

void vg_text_clear(struct vg_text *text)
{
	free(text->lines);
	*text = (struct vg_text){0};
}

struct vg_error *vg_text_render(const struct vg_text *text, char **bytes, size_t *size)
{
	size_t total = 0;

	for (size_t i = 0; i < text->count; i++)
		total += text->lines[i].length + text->lines[i].newline;

	char *out = malloc(total + 1);

	if (!out)
		return vg_error_no_memory();
	*bytes = out;
	*size = total;
	for (size_t i = 0; i < text->count; i++) {
		const struct vg_line *line = &text->lines[i];

		memcpy(out, line->text, line->length);
		out += line->length;
		if (line->newline)
			*out++ = '\n';
	}
	*out = '\0';
	return NULL;
}

static bool is_same_line(const struct vg_line *line, const struct vg_diff_line *other)
{
	return line->newline == other->newline && line->length == other->length &&
	       !memcmp(line->text, other->text, line->length);
}

/* Do the lines that the hunk expects (`without`: all but those of that tag) stand at `index`? */
static bool does_match(const struct vg_text *text, const struct vg_hunk *hunk, size_t index,
		       char without)
{
	for (size_t i = 0; i < hunk->line_count; i++) {
		if (hunk->lines[i].tag == without)
			continue;
		if (index >= text->count || !is_same_line(&text->lines[index], &hunk->lines[i]))
			return false;
		index++;
	}
	return true;
}

/*
 * Where a hunk goes in by its header: a hunk without old lines stands behind the line it names
 * (POSIX diff: "-N,0"), all others start at it.
 */
static long header_index(unsigned start, unsigned count)
{
	return count ? (long)start - 1 : (long)start;
}

static struct vg_error *does_not_apply(const struct vg_text *text, const struct vg_diff *diff,
				       const struct vg_hunk *hunk, const char *name)
{
	long index = header_index(hunk->new_start, hunk->new_count);

	if (hunk->new_count && index >= 0 && does_match(text, hunk, index, '-'))
		return vg_error_new(VG_REFUSED,
				    "%s:%u: the hunk does not apply to %s:%u: it is applied "
				    "there already",
				    diff->path, hunk->at, name, hunk->old_start);
	return vg_error_new(VG_REFUSED,
			    "%s:%u: the hunk does not apply to %s:%u: the lines it expects are "
			    "not there; is this the source that the diff was made for?",
			    diff->path, hunk->at, name, hunk->old_start);
}

/* patch(1) takes the nearest match; we take the only one, because a guess would patch a stranger.
 */
static struct vg_error *find_elsewhere(const struct vg_text *text, const struct vg_diff *diff,
				       const struct vg_hunk *hunk, size_t from, const char *name,
				       size_t *index)
{
	size_t found = 0;

	for (size_t i = from; i + hunk->old_count <= text->count; i++) {
		if (!does_match(text, hunk, i, '+'))
			continue;
		if (found++)
			return vg_error_new(VG_REFUSED,
					    "%s:%u: the hunk does not apply to %s:%u, but to "
					    "several places, among them lines %zu and %zu; give a "
					    "diff with more context",
					    diff->path, hunk->at, name, hunk->old_start, *index + 1,
					    i + 1);
		*index = i;
	}
	return found ? NULL : does_not_apply(text, diff, hunk, name);
}

static struct vg_error *find_place(const struct vg_text *text, const struct vg_diff *diff,
				   const struct vg_hunk *hunk, size_t from, long offset,
				   const char *name, size_t *index)
{
	long expected = header_index(hunk->old_start, hunk->old_count) + offset;

	if (!hunk->old_count && diff->exact && expected >= (long)from &&
	    expected <= (long)text->count) {
		*index = (size_t)expected;
		return NULL;
	}
	if (!hunk->old_count && (text->count || hunk->old_start))
		return vg_error_new(VG_REFUSED,
				    "%s:%u: the hunk has no context, so that its place in %s "
				    "cannot be checked; make the diff with context lines",
				    diff->path, hunk->at, name);
	if (expected >= (long)from && does_match(text, hunk, expected, '+')) {
		*index = expected;
		return NULL;
	}
	return find_elsewhere(text, diff, hunk, from, name, index);
}

static struct vg_line inserted(const struct vg_diff_line *line)
{
	return (struct vg_line){
		.text = line->text, .length = line->length, .newline = line->newline};
}

static struct vg_error *replace(struct vg_text *text, const struct vg_hunk *hunk, size_t index)
{
	size_t count = text->count - hunk->old_count + hunk->new_count, out = index, in = index;
	struct vg_line *lines = calloc(count + 1, sizeof(*lines));

	if (!lines)
		return vg_error_no_memory();
	if (index)
		memcpy(lines, text->lines, index * sizeof(*lines));
	for (size_t i = 0; i < hunk->line_count; i++) {
		if (hunk->lines[i].tag == '+')
			lines[out++] = inserted(&hunk->lines[i]);
		else if (hunk->lines[i].tag == ' ')
			lines[out++] = text->lines[in++];
		else
			in++;
	}
	if (text->count > in)
		memcpy(lines + out, text->lines + in, (text->count - in) * sizeof(*lines));
	free(text->lines);
	text->lines = lines;
	text->count = count;
	return NULL;
}

struct vg_error *vg_text_apply(struct vg_text *text, const struct vg_diff *diff,
			       const struct vg_diff_file *file, const char *name, size_t *moved)
{
	size_t from = 0;
	long offset = 0;

	for (size_t i = 0; i < file->hunk_count; i++) {
		const struct vg_hunk *hunk = &file->hunks[i];
		size_t index = 0;

		VG_TRY(find_place(text, diff, hunk, from, offset, name, &index));

		long expected = header_index(hunk->old_start, hunk->old_count) + offset;

		*moved += expected != (long)index;
		offset += (long)index - expected;
		offset += (long)hunk->new_count - (long)hunk->old_count;
		VG_TRY(replace(text, hunk, index));
		from = index + hunk->new_count;
	}
	return NULL;
}
