/* SPDX-License-Identifier: MIT */
#include "patcher/scope.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/load_order.h"

void vg_scope_clear(struct vg_scope *scope)
{
	for (size_t i = 0; i < scope->count; i++)
		vg_dynamic_clear(&scope->modules[i]);
	free(scope->modules);
	*scope = (struct vg_scope){0};
}

struct vg_error *vg_scope_read(const struct vg_session *session, struct vg_scope *scope)
{
	_cleanup_free_ const struct vg_module **order =
		calloc(session->modules.count + 1, sizeof(*order));

	*scope = (struct vg_scope){.session = session, .memory = &session->target.memory};
	scope->modules = calloc(session->modules.count + 1, sizeof(*scope->modules));
	if (!order || !scope->modules)
		return vg_error_new(VG_FAILED, "out of memory for the modules of the target");
	vg_load_order(scope->memory, &session->modules, order);
	for (size_t i = 0; i < session->modules.count; i++) {
		struct vg_error *error =
			vg_dynamic_read(scope->memory, order[i], &scope->modules[i]);

		scope->count++;
		if (error)
			return error;
	}
	return NULL;
}

static bool is_named(const struct vg_dynamic *dynamic, const char *soname)
{
	return strcmp(dynamic->soname, soname) == 0 ||
	       (!*dynamic->soname && strcmp(basename(dynamic->module->path), soname) == 0);
}

const Elf64_Sym *vg_scope_find(const struct vg_scope *scope, const char *name, const char *soname,
			       const char *version, const struct vg_dynamic **definer)
{
	for (size_t i = 0; i < scope->count; i++) {
		const struct vg_dynamic *dynamic = &scope->modules[i];
		const Elf64_Sym *symbol;

		if (*soname && !is_named(dynamic, soname))
			continue;
		symbol = vg_dynamic_find(scope->memory, dynamic, name, version);
		if (symbol) {
			*definer = dynamic;
			return symbol;
		}
	}
	return NULL;
}

bool vg_scope_is_slot(uint64_t info)
{
	return ELF64_R_TYPE(info) == R_X86_64_JUMP_SLOT || ELF64_R_TYPE(info) == R_X86_64_GLOB_DAT;
}
