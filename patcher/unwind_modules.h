/* SPDX-License-Identifier: MIT */
/*
 * Where the unwind information of a target lies.
 *
 * It is read from the target's memory, not from its files: .eh_frame_hdr and .eh_frame are mapped
 * with the code that they describe, so that a file which was replaced, lies in another mount
 * namespace or never existed (the vdso, a patch area) makes no difference. Pages of modules are
 * cached until the target maps other code.
 *
 * Thread context: any; a refresh reads the maps and may be done in a stop when it must.
 */
#ifndef PATCHER_UNWIND_MODULES_H
#define PATCHER_UNWIND_MODULES_H

#include "common/process_maps.h"
#include "patcher/cfi.h"
#include "patcher/stack_check.h"

struct unwind_module {
	uint64_t start, end; /* of the executable mapping */
	uint64_t bias;
	bool is_elf;
	struct cfi_table table; /* eh_frame = 0: it has none */
	struct cfi_pair *pairs; /* owned; in place of an index */
};

struct unwind_page;

struct unwind_modules {
	const struct vg_memory *memory;
	struct vg_maps_file file; /* opened by the first refresh */
	struct vg_code_area *areas;
	size_t area_count;
	struct unwind_module *modules;
	size_t module_count;
	struct unwind_page **pages; /* hash table by address */
	size_t page_count;
	unsigned generation; /* counts the times that other code was mapped */
};

void unwind_modules_open(struct unwind_modules *modules, const struct vg_memory *memory);
void unwind_modules_close(struct unwind_modules *modules);

/* Rereads the maps, which is cheap as long as they are the same; what was learned of modules is
 * kept if the code mappings are the same. */
VG_MUST_CHECK struct vg_error *unwind_modules_refresh(struct unwind_modules *modules);
VG_MUST_CHECK struct vg_error *unwind_modules_set_areas(struct unwind_modules *modules,
							const struct vg_code_area *areas,
							size_t count);

/* Reads the information of the executable file itself, which may need its file. */
void unwind_modules_load_executable(struct unwind_modules *modules);

/* The table for the code at `pc`; false: there is none. */
bool unwind_modules_find(struct unwind_modules *modules, uint64_t pc, struct cfi_table *table);

/* Reads all unwind information of the modules met so far, so that a stop need not. */
void unwind_modules_load(struct unwind_modules *modules);

/* The load bias of the module at `pc`; false: it is in no module. */
bool unwind_modules_bias(struct unwind_modules *modules, uint64_t pc, uint64_t *bias);

/* "module+0x1234", or "0x…" for code of no module. NULL: no memory. */
char *unwind_modules_name(const struct unwind_modules *modules, uint64_t pc);

#endif
