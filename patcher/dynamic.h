/* SPDX-License-Identifier: MIT */
/*
 * The dynamic tables of one module, copied from the target's memory (gABI, Dynamic Section; LSB
 * Core 5.0, Symbol Versioning). Untrusted: lookups beyond what was copied find nothing.
 */
#ifndef PATCHER_DYNAMIC_H
#define PATCHER_DYNAMIC_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/memory.h"
#include "patcher/module.h"

struct vg_dynamic {
	const struct vg_module *module;
	Elf64_Sym *symbols;
	size_t symbol_count;
	char *strings;
	size_t string_bytes;
	uint16_t *versions; /* DT_VERSYM, symbol_count entries, or NULL */
	Elf64_Rela *relocs; /* DT_RELA and DT_JMPREL, one behind the other */
	size_t reloc_count;
	uint64_t verdef, verneed; /* addresses, 0 = none */
	uint64_t verdef_count, verneed_count;
	const char *soname; /* in strings, or "" */
};

/* A module without dynamic tables gives an empty result. */
VG_MUST_CHECK struct vg_error *vg_dynamic_read(const struct vg_memory *memory,
					       const struct vg_module *module,
					       struct vg_dynamic *dynamic);
void vg_dynamic_clear(struct vg_dynamic *dynamic);

/*
 * The definition of `name` with `version` ("" = the default version), or NULL. `versioned` tables
 * only are asked for versions: a module without versions defines every version.
 */
const Elf64_Sym *vg_dynamic_find(const struct vg_memory *memory, const struct vg_dynamic *dynamic,
				 const char *name, const char *version);
/* Does symbol `index` (defined or not) have this name and version? */
bool vg_dynamic_is_symbol(const struct vg_memory *memory, const struct vg_dynamic *dynamic,
			  size_t index, const char *name, const char *version);
const char *vg_dynamic_string(const struct vg_dynamic *dynamic, uint64_t offset);

#endif
