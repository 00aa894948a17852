/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a file with DWARF: the types and functions that the safety rules compare, and the
 * lines that --explain shows. libdwarf does the reading, so this asks as well whether what the
 * differ lets through is safe to give it.
 */
#include <unistd.h>

#include "common/error.h"
#include "differ/die_sections.h"
#include "differ/inline_chain.h"
#include "differ/line_table.h"
#include "differ/type_table.h"
#include "tests/fuzz/lib/input.h"

#define MAX_INPUT 65536

static void touch_types(const struct vg_type_table *table)
{
	for (size_t i = 0; i < table->types.count; i++) {
		const struct vg_type *type = &table->types.at[i];

		PROMISE(type->kind && type->name);
		fuzz_touch_string(type->name);
		for (size_t k = 0; k < type->members.count; k++) {
			fuzz_touch_string(type->members.at[k].name);
			fuzz_touch_string(type->members.at[k].type);
		}
	}
	for (size_t i = 0; i < table->functions.count; i++) {
		fuzz_touch_string(table->functions.at[i].name);
		fuzz_touch_string(table->functions.at[i].signature);
	}
	for (size_t i = 0; i < table->declarations.count; i++) {
		fuzz_touch_string(table->declarations.at[i].name);
		fuzz_touch_string(table->declarations.at[i].file);
	}
}

static void follow_inlining(struct vg_arena *arena, const char *path, size_t section)
{
	const char *chain = NULL;

	vg_error_free(vg_inline_chain(arena, path, "walk", vg_die_address(section, 8), &chain));
	fuzz_touch_string(chain);
}

static void read_lines(struct vg_arena *arena, const char *path)
{
	struct vg_line_table table;

	vg_error_free(vg_line_table_read(arena, path, &table));
	for (size_t i = 0; i < table.rows.count; i++)
		fuzz_touch_string(table.rows.at[i].file);
	vg_line_table_find(&table, vg_die_address(1, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vg_arena arena = {0};
	struct vg_type_table table;
	char path[FUZZ_PATH_BYTES];

	if (size > MAX_INPUT)
		return 0;

	int fd = fuzz_file(data, size);

	fuzz_path(fd, path);
	struct vg_error *error = vg_type_table_read(&arena, path, &table);

	if (!error)
		touch_types(&table);
	follow_inlining(&arena, path, size % 16);
	read_lines(&arena, path);
	vg_error_free(error);
	vg_arena_clear(&arena);
	close(fd);
	return 0;
}
