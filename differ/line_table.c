/* SPDX-License-Identifier: MIT */
#include "differ/line_table.h"

#include "common/error.h"
#include "differ/die.h"

struct reader {
	struct vg_arena *arena;
	struct vg_dies dies;
	struct vg_die_files files; /* of the unit */
	struct vg_line_table *table;
	bool out_of_memory;
};

/* A row ends where the next begins; one that ends a sequence says only where the last one does. */
static void read_row(struct reader *reader, Dwarf_Line row, Dwarf_Line next)
{
	Dwarf_Unsigned line = 0, file = 0;
	Dwarf_Addr start = 0, end = 0;
	Dwarf_Bool is_end = true;

	if (dwarf_lineendsequence(row, &is_end, &reader->dies.error) != DW_DLV_OK || is_end ||
	    dwarf_lineaddr(row, &start, &reader->dies.error) != DW_DLV_OK ||
	    dwarf_lineaddr(next, &end, &reader->dies.error) != DW_DLV_OK || end <= start ||
	    dwarf_lineno(row, &line, &reader->dies.error) != DW_DLV_OK || !line ||
	    dwarf_line_srcfileno(row, &file, &reader->dies.error) != DW_DLV_OK)
		return;

	struct vg_line_row found = {.start = start,
				    .end = end,
				    .file = vg_die_file(&reader->files, file),
				    .line = (unsigned)line};

	if (!vg_list_push(reader->arena, &reader->table->rows, found))
		reader->out_of_memory = true;
}

static struct vg_error *read_unit(struct reader *reader, Dwarf_Die unit)
{
	Dwarf_Line_Context context = NULL;
	Dwarf_Unsigned version;
	Dwarf_Small tables;
	Dwarf_Line *rows = NULL;
	Dwarf_Signed count = 0;

	VG_TRY(vg_die_files_read(&reader->dies, unit, &reader->files));
	if (dwarf_srclines_b(unit, &version, &tables, &context, &reader->dies.error) != DW_DLV_OK)
		return NULL;
	if (dwarf_srclines_from_linecontext(context, &rows, &count, &reader->dies.error) ==
	    DW_DLV_OK)
		for (Dwarf_Signed i = 0; i + 1 < count; i++)
			read_row(reader, rows[i], rows[i + 1]);
	dwarf_srclines_dealloc_b(context);
	return NULL;
}

struct vg_error *vg_line_table_read(struct vg_arena *arena, const char *path,
				    struct vg_line_table *table)
{
	struct reader reader = {.arena = arena, .table = table};
	struct vg_error *error = NULL, *closed;
	Dwarf_Die unit;

	*table = (struct vg_line_table){0};
	VG_TRY(vg_dies_open(arena, path, &reader.dies));
	while (!error && (unit = vg_dies_next_unit(&reader.dies))) {
		error = read_unit(&reader, unit);
		vg_die_release(&reader.dies, unit);
	}
	closed = vg_dies_close(&reader.dies);
	if (error) {
		vg_error_free(closed);
		return error;
	}
	return closed ?: reader.out_of_memory ? vg_error_no_memory() : NULL;
}

const struct vg_line_row *vg_line_table_find(const struct vg_line_table *table, uint64_t address)
{
	for (size_t i = 0; i < table->rows.count; i++)
		if (address >= table->rows.at[i].start && address < table->rows.at[i].end)
			return &table->rows.at[i];
	return NULL;
}
