/* SPDX-License-Identifier: MIT */
/* The source lines behind what --explain says of instructions. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/die_sections.h"
#include "differ/line_table.h"
#include "differ/patch_build.h"

static struct vg_line_table *read_table(struct vg_patch_build *build, const char *path)
{
	struct vg_line_table *table = vg_arena_alloc(build->arena, 1, sizeof(*table));
	struct vg_error *error = table ? vg_line_table_read(build->arena, path, table) : NULL;

	/* an explanation without a line is better than no patch */
	vg_error_free(error);
	return error ? NULL : table;
}

static void read_tables(struct vg_patch_build *build, struct vg_pair *pair)
{
	const char *lined = pair->unit->lined_object;

	if (pair->pre_lines)
		return;
	if (lined) {
		struct vg_error *error =
			vg_object_read(build->arena, lined, pair->unit->file, &pair->lined);

		vg_error_free(error);
		if (error) {
			vg_object_close(pair->lined);
			pair->lined = NULL;
		}
	}
	pair->pre_lines = read_table(build, pair->pre->path);
	pair->post_lines = read_table(build, pair->lined ? lined : pair->post->path);
}

/* The same function under its own line numbers; __LINE__ can make it longer, and then it is not. */
static const struct vg_item *lined_twin(const struct vg_pair *pair, const struct vg_item *item)
{
	const struct vg_item *twin =
		item->name ? vg_object_item_named(pair->lined, item->name) : NULL;

	return twin && twin->section && twin->size == item->size ? twin : NULL;
}

static const char *line_text(struct vg_patch_build *build, struct vg_pair *pair, bool post,
			     const struct vg_line_row *row)
{
	struct vg_source_place place = vg_place_at(build, pair, row->file, row->line);
	_cleanup_free_ char *text =
		vg_units_source_line(build->units, post, place.file, place.line);

	return vg_arena_printf(build->arena, "%s:%u: %s", place.file, place.line, text ?: "") ?: "";
}

const char *vg_explain_line(struct vg_patch_build *build, struct vg_pair *pair,
			    const struct vg_item *item, uint64_t offset)
{
	bool post = item->object == pair->post;
	const struct vg_line_table *table;
	const struct vg_line_row *row;

	if (!build->request->explain || !build->units || !item->section)
		return "";
	read_tables(build, pair);
	table = post ? pair->post_lines : pair->pre_lines;
	if (post && pair->lined)
		item = lined_twin(pair, item);
	if (!table || !item)
		return "";
	row = vg_line_table_find(table,
				 vg_die_address(item->section->index, item->offset + offset));
	return row ? line_text(build, pair, post, row) : "";
}
