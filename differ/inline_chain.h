/* SPDX-License-Identifier: MIT */
/* Which functions were inlined into which at a place in the code (DWARF 5, 3.3.8). */
#ifndef DIFFER_INLINE_CHAIN_H
#define DIFFER_INLINE_CHAIN_H

#include <vgraft/error.h>

#include "differ/arena.h"

/*
 * For the code at `address` (vg_die_address()) in a function of a relocatable object, the functions
 * that stand there by inlining, innermost first: "poll_once in run_once"; NULL if there are none or
 * no DWARF tells.
 */
VG_MUST_CHECK struct vg_error *vg_inline_chain(struct vg_arena *arena, const char *path,
					       const char *function, uint64_t address,
					       const char **chain);

#endif
