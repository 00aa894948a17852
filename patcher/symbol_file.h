/* SPDX-License-Identifier: MIT */
/*
 * An ELF file that describes the patches in one process to a debugger: symbols for all code in its
 * patch areas, and how to unwind it.
 *
 * ET_EXEC at the addresses of this process. One section without content for each area (the code is
 * in the process), .symtab, and a .debug_frame (DWARF 5, 6.4) made of all FDEs of the areas: those
 * of the new code, of displaced instructions and of the stubs.
 *
 * Thread context: target running; reads only.
 */
#ifndef PATCHER_SYMBOL_FILE_H
#define PATCHER_SYMBOL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/area.h"
#include "patcher/memory.h"

/* The caller frees *bytes. */
VG_MUST_CHECK struct vg_error *vg_symbol_file_make(const struct vg_memory *memory,
						   const struct vg_areas *areas, uint8_t **bytes,
						   size_t *count);

#endif
