/* SPDX-License-Identifier: MIT */
/* The types and functions of an object as its DWARF describes them (DWARF 5, ch. 5), as text. */
#ifndef DIFFER_TYPE_TABLE_H
#define DIFFER_TYPE_TABLE_H

#include <vgraft/error.h>

#include "differ/arena.h"

struct vg_type_member {
	const char *name; /* "" if anonymous */
	const char *type; /* "int", "struct foo *", "char [4]" */
	uint64_t
		offset; /* in bits for bit fields, otherwise in bytes; the value of an enumerator */
	uint64_t bits;	/* of a bit field, or 0 */
	unsigned line;
};

struct vg_type {
	const char *kind; /* "struct", "union", "enum", "typedef" of an anonymous one */
	const char *name;
	uint64_t bytes;
	unsigned line;
	VG_LIST(struct vg_type_member) members;
};

struct vg_function_type {
	const char *name;
	const char *signature; /* "int (char *, int)" */
	unsigned line;
};

struct vg_type_table {
	bool has_debug_information;
	VG_LIST(struct vg_type) types;
	VG_LIST(struct vg_function_type) functions;
};

/* An object without DWARF gives an empty table. */
VG_MUST_CHECK struct vg_error *vg_type_table_read(struct vg_arena *arena, const char *path,
						  struct vg_type_table *table);
/* The entry of a function, or NULL. */
const struct vg_function_type *vg_type_table_function(const struct vg_type_table *table,
						      const char *name);

#endif
