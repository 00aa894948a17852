/* SPDX-License-Identifier: MIT */
/*
 * The order in which the dynamic linker loaded the modules, which is the order in which it looks
 * for a global symbol: main program, its libraries breadth first, what was dlopen'd last.
 */
#ifndef PATCHER_LOAD_ORDER_H
#define PATCHER_LOAD_ORDER_H

#include "patcher/memory.h"
#include "patcher/module.h"

/*
 * Fills `order` with all modules, each once. Read from the link map list (DT_DEBUG of the main
 * program); modules that are not in it come last, by address.
 */
void vg_load_order(const struct vg_memory *memory, const struct vg_modules *modules,
		   const struct vg_module **order);

#endif
