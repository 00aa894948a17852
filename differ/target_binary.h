/* SPDX-License-Identifier: MIT */
/*
 * The exact binary that is to be patched: its bytes, its symbols (own, or from a separate debug
 * file or unstripped twin), where its functions begin and end (.eh_frame), its GOT slots and PLT
 * entries and what they stand for.
 */
#ifndef DIFFER_TARGET_BINARY_H
#define DIFFER_TARGET_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>
#include <vgraft/rules.h>

#include "common/elf_file.h"
#include "common/instruction.h"
#include "differ/arena.h"

/* A word that the dynamic linker fills (relocation tables of the target). */
struct vg_slot {
	uint64_t address;
	uint32_t type;			/* R_X86_64_* */
	const struct vg_symbol *symbol; /* of .dynsym, or NULL */
	int64_t addend;
};

struct vg_plt_entry {
	uint64_t address; /* of the first byte, endbr64 included */
	const struct vg_slot *slot;
};

/* A function, or a piece of one that has a record of its own in .eh_frame. */
struct vg_span {
	uint64_t start, end;
	size_t frame; /* in target->frames */
};

struct vg_target {
	struct vg_arena *arena;
	struct vg_elf *elf;
	struct vg_elf *symbol_file; /* --symbols, or NULL */
	const uint8_t *file;	    /* the whole ELF file */
	size_t file_bytes;
	GElf_Phdr *loads;
	size_t load_count;
	const char *name; /* DT_SONAME, or the file's base name */
	bool is_executable, is_fixed, is_bound_now, is_static;
	struct vg_symbols symbols;	  /* .symtab; empty if stripped */
	struct vg_symbols dynamic;	  /* .dynsym */
	const struct vg_symbol **by_name; /* both, sorted by name */
	size_t by_name_count;
	VG_LIST(struct vg_slot) slots;	   /* ascending addresses */
	VG_LIST(struct vg_plt_entry) plt;  /* ascending addresses */
	VG_LIST(struct vg_span) functions; /* by .eh_frame, ascending */
	struct vg_span *by_size;	   /* the same, ascending sizes, then addresses */
	struct vg_span *frames;		   /* the same, in the order of .eh_frame */
	uint64_t tls_bytes, tls_align;	   /* PT_TLS; 0: none */
	VG_LIST(const char *) needed;	   /* DT_NEEDED */
	const char *runpath;		   /* DT_RUNPATH or DT_RPATH, or NULL */
};

/* No build-id is refused: a patch must be able to name its target. */
VG_MUST_CHECK struct vg_error *vg_target_open(struct vg_arena *arena, const char *path,
					      const char *symbols, struct vg_target **target);
void vg_target_close(struct vg_target *target); /* NULL is allowed */

/* `count` bytes at an address as the file has them; NULL outside of it (.bss too). */
const uint8_t *vg_target_bytes(const struct vg_target *target, uint64_t address, uint64_t count);
bool vg_target_is_code(const struct vg_target *target, uint64_t address);
bool vg_target_has(const struct vg_target *target, uint64_t address); /* in a PT_LOAD */

/* Symbols of that name, a slice of by_name; *count may be 0. */
const struct vg_symbol **vg_target_named(const struct vg_target *target, const char *name,
					 size_t *count);
/* The symbol of .dynsym, defined or not; NULL. */
const struct vg_symbol *vg_target_dynamic(const struct vg_target *target, const char *name);
/* A name for what lies at the address, for people; NULL. */
const char *vg_target_symbol_at(const struct vg_target *target, uint64_t address);

const struct vg_slot *vg_target_slot(const struct vg_target *target, uint64_t address);
const struct vg_plt_entry *vg_target_plt(const struct vg_target *target, uint64_t address);
/* A GOT slot that holds the address of the symbol once the target runs; NULL. */
const struct vg_slot *vg_target_slot_for(const struct vg_target *target, const char *name);
const struct vg_plt_entry *vg_target_plt_for(const struct vg_target *target, const char *name);
/* Static and PIE programs call their own IFUNCs through an entry of this resolver. */
const struct vg_plt_entry *vg_target_plt_for_resolver(const struct vg_target *target,
						      uint64_t resolver);

/*
 * The two GOT words that __tls_get_addr takes for a symbol, or (name NULL) for an offset in the
 * module's own block; 0 if the target has none.
 */
uint64_t vg_target_tls_pair(const struct vg_target *target, const char *name, uint64_t offset);
/*
 * The TLS descriptor (R_X86_64_TLSDESC, two GOT words) of a symbol, or (name NULL) of an offset in
 * the module's own block; 0 if the target has none.
 */
uint64_t vg_target_tls_descriptor(const struct vg_target *target, const char *name, int64_t offset);
/* The offset from the thread pointer of an offset in the TLS segment (ELF TLS, variant II). */
int64_t vg_target_tpoff(const struct vg_target *target, uint64_t offset);
/* The function that begins there by .eh_frame, a place in functions; NULL if none does. */
const struct vg_span *vg_target_function_at(const struct vg_target *target, uint64_t start);
/* The functions of that size by .eh_frame, a slice of by_size; *count may be 0. */
const struct vg_span *vg_target_functions_of_size(const struct vg_target *target, uint64_t size,
						  size_t *count);

/* Parts of vg_target_open(), in files of their own. */
VG_MUST_CHECK struct vg_error *vg_target_read_dynamic(struct vg_target *target);
VG_MUST_CHECK struct vg_error *vg_target_read_slots(struct vg_target *target);
VG_MUST_CHECK struct vg_error *vg_target_read_functions(struct vg_target *target);

#endif
