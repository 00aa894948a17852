/* SPDX-License-Identifier: MIT */
/*
 * All modules of a target with their dynamic tables, in load order: the global scope in which its
 * linker looks up symbols.
 *
 * Thread context: target running.
 */
#ifndef PATCHER_SCOPE_H
#define PATCHER_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/dynamic.h"
#include "patcher/session.h"

struct vg_scope {
	const struct vg_session *session; /* outlives the scope */
	const struct vg_memory *memory;
	struct vg_dynamic *modules;
	size_t count;
};

VG_MUST_CHECK struct vg_error *vg_scope_read(const struct vg_session *session,
					     struct vg_scope *scope);
void vg_scope_clear(struct vg_scope *scope);

/*
 * The first definition of `name`, and the module that has it; NULL: there is none. `soname` "" is
 * any module, `version` "" the default version.
 */
const Elf64_Sym *vg_scope_find(const struct vg_scope *scope, const char *name, const char *soname,
			       const char *version, const struct vg_dynamic **definer);

/* Is a relocation with this r_info for a GOT slot that holds the address of a symbol? */
bool vg_scope_is_slot(uint64_t info);

#endif
