/* SPDX-License-Identifier: MIT */
/*
 * Imports of a patch: symbols of other modules, bound in the target by soname, name and version,
 * from the dynamic tables that the modules have in memory.
 *
 * An IFUNC (STT_GNU_IFUNC: memcpy, strlen …) stands for a resolver, and binds to what the resolver
 * chose when the target's own linker ran it. In this order:
 *   1. the GOT slot that the import names, if it is bound;
 *   2. an R_X86_64_IRELATIVE slot of the defining module for the same resolver;
 *   3. a slot of any module that refers to the same symbol and version.
 * A value counts only if it points into code of the defining module. Otherwise the import is
 * refused: the resolver is not run.
 *
 * Thread context: target running.
 */
#ifndef PATCHER_IMPORT_H
#define PATCHER_IMPORT_H

#include <stdint.h>

#include <vgraft/error.h>

#include "common/patch_object.h"
#include "patcher/scope.h"

/* Fills `addresses`, one for each import; a weak import that nothing defines is 0. */
VG_MUST_CHECK struct vg_error *vg_imports_bind(const struct vg_scope *scope,
					       const struct vg_patch *patch, const uint64_t *biases,
					       uint64_t *addresses);

#endif
