/* SPDX-License-Identifier: MIT */
/*
 * The pages of unwind information that were read from a target. Both readers are a cfi_read_fn
 * whose context is the struct unwind_modules; patch areas are read without the cache, because their
 * content is the tool's own and changes without the maps changing.
 */
#ifndef PATCHER_UNWIND_PAGES_H
#define PATCHER_UNWIND_PAGES_H

#include "patcher/unwind_modules.h"

bool unwind_pages_read(void *modules, uint64_t address, void *buffer, size_t count);
bool unwind_pages_read_uncached(void *modules, uint64_t address, void *buffer, size_t count);
void unwind_pages_drop(struct unwind_modules *modules);

#endif
