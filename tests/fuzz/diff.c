/* SPDX-License-Identifier: MIT */
/*
 * Diffs are untrusted input: any bytes are parsed, applied to a text with a hunk's worth of
 * matches, and rendered with re-synchronised lines. Nothing may be read out of bounds, and what
 * is rendered without directives must be the text that was applied.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "differ/diff.h"
#include "differ/source_tree_paths.h"
#include "differ/source_tree_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The old side of the first file's hunks, so that they do apply. */
static struct vg_text old_side(const struct vg_diff_file *file)
{
	struct vg_text text = {0};
	size_t count = 0;

	for (size_t i = 0; i < file->hunk_count; i++)
		count += file->hunks[i].line_count;
	text.lines = calloc(count + 1, sizeof(*text.lines));
	for (size_t i = 0; text.lines && i < file->hunk_count; i++) {
		for (size_t j = 0; j < file->hunks[i].line_count; j++) {
			const struct vg_diff_line *line = &file->hunks[i].lines[j];

			if (line->tag == '+')
				continue;
			text.lines[text.count++] = (struct vg_line){
				.text = line->text,
				.length = line->length,
				.newline = line->newline,
				.origin = text.count,
			};
		}
	}
	return text;
}

static void render(const struct vg_text *text)
{
	char *plain = NULL, *resynced = NULL;
	size_t plain_size, resynced_size;

	vg_error_free(vg_text_render(text, &plain, &plain_size));
	vg_error_free(vg_text_render_resynced(text, &resynced, &resynced_size));
	if (plain && resynced && plain_size > resynced_size)
		abort();
	free(plain);
	free(resynced);
}

static void apply(const struct vg_diff *diff, const struct vg_diff_file *file)
{
	struct vg_text text = old_side(file);
	size_t moved = 0;

	vg_error_free(vg_text_apply(&text, diff, file, "file", &moved));
	render(&text);
	vg_text_clear(&text);
}

static void strip(const char *name)
{
	if (!name)
		return;
	vg_error_free(vg_diff_name_check(name, "fuzz", 1));
	for (unsigned level = 0; level <= vg_diff_name_depth(name) + 1; level++)
		vg_diff_name_strip(name, level);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vg_diff *diff = NULL;
	struct vg_text text = {0};

	vg_error_free(vg_diff_parse((const char *)data, size, "fuzz", &diff));
	for (size_t i = 0; diff && i < diff->file_count; i++) {
		strip(diff->files[i].old_name);
		strip(diff->files[i].new_name);
		apply(diff, &diff->files[i]);
	}
	vg_diff_free(diff);
	/* the same bytes as a source: every second line is the diff's own */
	vg_error_free(vg_text_split((const char *)data, size, &text));
	for (size_t i = 0; i < text.count; i += 2)
		text.lines[i].origin = 0;
	render(&text);
	vg_text_clear(&text);
	return 0;
}
