/* SPDX-License-Identifier: MIT */
/* Which source line an instruction comes from (DWARF 5, 6.2). */
#ifndef DIFFER_LINE_TABLE_H
#define DIFFER_LINE_TABLE_H

#include <vgraft/error.h>

#include "differ/arena.h"

struct vg_line_row {
	uint64_t start, end; /* addresses as vg_die_address() makes them, or of a linked file */
	const char *file;    /* full path */
	unsigned line;
};

struct vg_line_table {
	VG_LIST(struct vg_line_row) rows;
};

/* A file without line numbers, or with damaged ones, gives an empty table. */
VG_MUST_CHECK struct vg_error *vg_line_table_read(struct vg_arena *arena, const char *path,
						  struct vg_line_table *table);
/* The row that covers the address, or NULL. */
const struct vg_line_row *vg_line_table_find(const struct vg_line_table *table, uint64_t address);

#endif
