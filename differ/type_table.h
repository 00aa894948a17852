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
	uint64_t align; /* that the source asks for (_Alignas), or 0 */
	const char *file; /* full path, or "" */
	unsigned line;
};

struct vg_type {
	const char *kind; /* "struct", "union", "enum", "typedef" of an anonymous one */
	const char *name;
	uint64_t bytes;
	uint64_t align;	  /* that the source asks for, or 0 */
	const char *file; /* full path, or "" */
	unsigned line;
	VG_LIST(struct vg_type_member) members;
};

struct vg_function_type {
	const char *name;
	const char *signature; /* "int (char *, int)" */
	const char *file;      /* full path, or "" */
	unsigned line;
};

/* Where a function or variable is defined. */
struct vg_declaration {
	const char *name;
	const char *type; /* of a variable, as of a member; "" of a function */
	const char *file; /* full path, or "" */
	unsigned line;
};

struct vg_type_table {
	bool has_debug_information;
	bool is_damaged; /* there is more than could be read */
	VG_LIST(struct vg_type) types;
	VG_LIST(struct vg_function_type) functions;
	VG_LIST(struct vg_declaration) declarations;
	VG_LIST(const char *) noreturns; /* functions, defined or only declared (DWARF 5, 3.3.1) */
};

/* An object without DWARF gives an empty table. */
VG_MUST_CHECK struct vg_error *vg_type_table_read(struct vg_arena *arena, const char *path,
						  struct vg_type_table *table);
/* The entry of a function, or NULL. */
const struct vg_function_type *vg_type_table_function(const struct vg_type_table *table,
						      const char *name);

/* Does the source say of the function that it does not return? */
bool vg_type_table_is_noreturn(const struct vg_type_table *table, const char *name);

/* The first of that name, or NULL. Statics of functions count, their automatic variables do not. */
const struct vg_declaration *vg_type_table_declaration(const struct vg_type_table *table,
						       const char *name);

#endif
