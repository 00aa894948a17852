/* SPDX-License-Identifier: MIT */
/*
 * The debug sections of a file as libdwarf takes them: decompressed, relocated, in memory. Its own
 * way from a file to sections trusts the file's headers (seen in 20210528: an allocation of the
 * size that a section group claims), so it is not used.
 */
#ifndef DIFFER_DIE_SECTIONS_H
#define DIFFER_DIE_SECTIONS_H

#include <libdwarf/libdwarf.h>

#include <vgraft/error.h>

#include "common/elf_file.h"
#include "differ/arena.h"

struct vg_die_section {
	const char *name;
	uint8_t *bytes;
	uint64_t size;
};

struct vg_die_sections {
	VG_LIST(struct vg_die_section) list; /* the first is empty, as in ELF */
	Dwarf_Obj_Access_Interface access;   /* what libdwarf asks; points to this struct */
	bool is_damaged;		     /* there is DWARF that cannot be read */
};

/* The sections belong to the arena, or to the file, which must stay open as long. */
VG_MUST_CHECK struct vg_error *vg_die_sections_read(struct vg_arena *arena,
						    const struct vg_elf *elf,
						    struct vg_die_sections *sections);
const struct vg_die_section *vg_die_section_named(const struct vg_die_sections *sections,
						  const char *name);

/*
 * Where DWARF sees the code of a relocatable object: each section has 4 GiB for itself, so that an
 * address tells section and offset.
 */
static inline uint64_t vg_die_address(size_t section, uint64_t offset)
{
	return (uint64_t)section << 32 | (uint32_t)offset;
}

#endif
