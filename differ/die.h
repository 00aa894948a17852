/* SPDX-License-Identifier: MIT */
/* Reading DWARF entries (DWARF 5, ch. 2) with libdwarf, without its ceremonies. */
#ifndef DIFFER_DIE_H
#define DIFFER_DIE_H

#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>

#include <vgraft/error.h>

#include "differ/arena.h"
#include "differ/die_sections.h"

struct vg_dies {
	struct vg_arena *arena;
	Dwarf_Debug debug; /* NULL: the file has no DWARF */
	Dwarf_Error error; /* of the last call; without a place for it libdwarf may abort */
	struct vg_elf *elf;
	struct vg_die_sections sections;
	Dwarf_Half version;  /* of the unit that vg_dies_next_unit() gave last */
	uint64_t steps_left; /* entries that may still be gone to */
	bool out_of_memory;
	bool is_damaged; /* there is DWARF, and not all of it could be read */
};

/* Must not be moved or copied while it is open. */
VG_MUST_CHECK struct vg_error *vg_dies_open(struct vg_arena *arena, const char *path,
					    struct vg_dies *dies);
VG_MUST_CHECK struct vg_error *vg_dies_close(struct vg_dies *dies);

/* die_check.c: can libdwarf be trusted with them? */
VG_MUST_CHECK struct vg_error *vg_dies_are_readable(const struct vg_die_sections *sections,
						    bool *readable);
/* die_tree.c: the same of .debug_info and .debug_abbrev, which may be NULL. */
VG_MUST_CHECK struct vg_error *vg_die_trees_are_sound(const struct vg_die_section *info,
						      const struct vg_die_section *abbreviations,
						      bool *sound);
/* die_lines.c: the same of .debug_line. */
bool vg_die_lines_are_sound(const uint8_t *bytes, uint64_t size);

/* The root entry of the next unit, or NULL. Entries are released, or handed to vg_die_next(). */
Dwarf_Die vg_dies_next_unit(struct vg_dies *dies);
void vg_die_release(struct vg_dies *dies, Dwarf_Die die);
Dwarf_Die vg_die_child(struct vg_dies *dies, Dwarf_Die die);
/* The next sibling; releases `die`. */
Dwarf_Die vg_die_next(struct vg_dies *dies, Dwarf_Die die);
/* die_files.c: the files of a unit, as DW_AT_decl_file numbers them; a number beyond gives "". */
struct vg_die_files {
	const char **names; /* full paths */
	size_t count;
};
VG_MUST_CHECK struct vg_error *vg_die_files_read(struct vg_dies *dies, Dwarf_Die unit,
						 struct vg_die_files *files);
const char *vg_die_file(const struct vg_die_files *files, uint64_t number);

/* The entry that an attribute refers to, or NULL. */
Dwarf_Die vg_die_referred(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name);

Dwarf_Half vg_die_tag(struct vg_dies *dies, Dwarf_Die die);
const char *vg_die_name(struct vg_dies *dies, Dwarf_Die die); /* "" if it has none */
bool vg_die_read(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name, uint64_t *value);
bool vg_die_has(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name); /* flags are there or not */
uint64_t vg_die_number(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name); /* 0: none */
const char *vg_dies_keep(struct vg_dies *dies, const char *text);

#endif
