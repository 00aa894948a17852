/* SPDX-License-Identifier: MIT */
#include "patcher/import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/dynamic.h"

struct wanted {
	const char *name;
	const char *soname;
	const char *version;
};

/* A slot that is not bound yet points back into the PLT of the module that has the slot. */
static uint64_t bound_value(const struct vg_scope *scope, uint64_t slot,
			    const struct vg_module *definer)
{
	const struct vg_map *map;
	uint64_t value = 0;

	if (vg_memory_read_some(scope->memory, slot, &value, sizeof(value)) != sizeof(value) ||
	    value < definer->start || value >= definer->end)
		return 0;
	map = vg_maps_find(&scope->session->maps, value);
	return map && map->executable ? value : 0;
}

static uint64_t bound_irelative(const struct vg_scope *scope, const struct vg_dynamic *definer,
				const Elf64_Sym *symbol)
{
	uint64_t value = 0;

	for (size_t i = 0; i < definer->reloc_count && !value; i++) {
		const Elf64_Rela *reloc = &definer->relocs[i];

		if (ELF64_R_TYPE(reloc->r_info) == R_X86_64_IRELATIVE &&
		    (uint64_t)reloc->r_addend == symbol->st_value)
			value = bound_value(scope, definer->module->bias + reloc->r_offset,
					    definer->module);
	}
	return value;
}

static uint64_t bound_elsewhere(const struct vg_scope *scope, const struct wanted *wanted,
				const struct vg_dynamic *definer)
{
	uint64_t value = 0;

	for (size_t m = 0; m < scope->count; m++) {
		const struct vg_dynamic *user = &scope->modules[m];

		for (size_t i = 0; i < user->reloc_count && !value; i++) {
			const Elf64_Rela *reloc = &user->relocs[i];

			if (vg_scope_is_slot(reloc->r_info) &&
			    vg_dynamic_is_symbol(scope->memory, user, ELF64_R_SYM(reloc->r_info),
						 wanted->name, wanted->version))
				value = bound_value(scope, user->module->bias + reloc->r_offset,
						    definer->module);
		}
	}
	return value;
}

static struct vg_error *bind_ifunc(const struct vg_scope *scope, const struct vgp_import *import,
				   const struct wanted *wanted, const uint64_t *biases,
				   const struct vg_dynamic *definer, const Elf64_Sym *symbol,
				   uint64_t *address)
{
	if (import->slot)
		*address =
			bound_value(scope, biases[import->module] + import->slot, definer->module);
	if (!*address)
		*address = bound_irelative(scope, definer, symbol);
	if (!*address)
		*address = bound_elsewhere(scope, wanted, definer);
	if (*address)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "%s of %s is an IFUNC that nothing in process %d has bound, and vgraft "
			    "does not run its resolver; call another function in the patch",
			    wanted->name, basename(definer->module->path),
			    scope->session->target.pid);
}

/* What another patch brought, by name and source file. */
static uint64_t find_in_patch(const struct vg_installed *installed, const struct wanted *wanted)
{
	const struct vg_patch *object = installed->object;

	for (size_t i = 0; i < object->function_count; i++) {
		const struct vgp_function *function = &object->functions[i];

		if (function->kind == VGP_NEW &&
		    strcmp(vg_patch_string(object, function->symbol), wanted->name) == 0 &&
		    strcmp(vg_patch_string(object, function->file), wanted->version) == 0)
			return vg_installed_module_text(installed, function->module) +
			       function->new_offset;
	}
	for (size_t i = 0; i < object->variable_count; i++) {
		const struct vgp_variable *variable = &object->variables[i];

		if (strcmp(vg_patch_string(object, variable->name), wanted->name) == 0 &&
		    strcmp(vg_patch_string(object, variable->file), wanted->version) == 0)
			return vg_installed_segment(installed, variable->segment) +
			       variable->offset;
	}
	return 0;
}

static struct vg_error *bind_in_patch(const struct vg_session *session,
				      const struct vg_patch *patch, const struct wanted *wanted,
				      uint64_t *address)
{
	for (size_t i = session->areas.count; i-- > 0 && !*address;) {
		const struct vg_installed *installed = &session->areas.patches[i];

		if (vg_installed_is_linked(installed) &&
		    strcmp(vg_installed_name(installed), wanted->soname) == 0)
			*address = find_in_patch(installed, wanted);
	}
	if (*address)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "patch %s needs %s of %s, which patch %s in process %d does not have; "
			    "build it again with --depends-object and the object that is applied",
			    vg_patch_name(patch), wanted->name, wanted->version, wanted->soname,
			    session->target.pid);
}

static struct vg_error *bind_one(const struct vg_scope *scope, const struct vg_patch *patch,
				 const struct vgp_import *import, const uint64_t *biases,
				 uint64_t *address)
{
	struct wanted wanted = {.name = vg_patch_string(patch, import->name),
				.soname = vg_patch_string(patch, import->soname),
				.version = vg_patch_string(patch, import->version)};
	const struct vg_dynamic *definer = NULL;
	const Elf64_Sym *symbol;

	*address = 0;
	if (import->flags & VGP_IMPORT_PATCH)
		return bind_in_patch(scope->session, patch, &wanted, address);
	symbol = vg_scope_find(scope, wanted.name, wanted.soname, wanted.version, &definer);
	if (!symbol && import->flags & VGP_IMPORT_WEAK)
		return NULL;
	if (!symbol)
		return vg_error_new(
			VG_REFUSED, "process %d has loaded no %s%s%s%s%s, which patch %s needs",
			scope->session->target.pid, wanted.name, *wanted.version ? "@" : "",
			wanted.version, *wanted.soname ? " from " : "", wanted.soname,
			vg_patch_name(patch));
	switch (ELF64_ST_TYPE(symbol->st_info)) {
	case STT_GNU_IFUNC:
		return bind_ifunc(scope, import, &wanted, biases, definer, symbol, address);
	case STT_TLS:
		return vg_error_new(VG_REFUSED,
				    "patch %s uses the thread-local variable %s of another module, "
				    "which is not supported",
				    vg_patch_name(patch), wanted.name);
	default:
		*address = symbol->st_shndx == SHN_ABS ? symbol->st_value
						       : definer->module->bias + symbol->st_value;
		return NULL;
	}
}

struct vg_error *vg_imports_bind(const struct vg_scope *scope, const struct vg_patch *patch,
				 const uint64_t *biases, uint64_t *addresses)
{
	for (size_t i = 0; i < patch->import_count; i++)
		VG_TRY(bind_one(scope, patch, &patch->imports[i], biases, &addresses[i]));
	return NULL;
}
