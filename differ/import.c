/* SPDX-License-Identifier: MIT */
/*
 * Symbols of other modules. What the target imports already has its soname and version in the
 * target's own tables; for the rest the libraries that the target needs are looked through, in the
 * order in which the dynamic linker would (ld.so(8)): DT_RUNPATH, then the system's folders.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/patch_build.h"

/* Debian's and the LSB's folders, where ldconfig looks by itself. */
static const char *const system_folders[] = {"/lib/x86_64-linux-gnu",
					     "/usr/lib/x86_64-linux-gnu",
					     "/lib64",
					     "/usr/lib64",
					     "/lib",
					     "/usr/lib",
					     "/usr/local/lib"};
#define MAX_LIBRARIES 128 /* looked through; deeper trees are not a program's own business */

struct vg_error *vg_import_add(struct vg_patch_build *build, struct vg_import import,
			       struct vg_reach *reach)
{
	reach->has_import = true;
	for (size_t i = 0; i < build->imports.count; i++) {
		const struct vg_import *known = &build->imports.at[i];

		reach->import = (uint32_t)i;
		if (!strcmp(known->name, import.name) && !strcmp(known->soname, import.soname) &&
		    (!(import.flags & VGP_IMPORT_PATCH) || !strcmp(known->version, import.version)))
			return NULL;
	}
	reach->import = (uint32_t)build->imports.count;
	return vg_list_push(build->arena, &build->imports, import) ? NULL : vg_error_no_memory();
}

/* The library that a versioned symbol of the target is needed from (.gnu.version_r). */
static const char *needed_file(const struct vg_target *target, const struct vg_symbol *symbol)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	GElf_Versym versym = 0;
	GElf_Verneed need;
	GElf_Vernaux aux;

	while ((scn = elf_nextscn(target->elf->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_GNU_versym)
			gelf_getversym(elf_getdata(scn, NULL), (int)symbol->index, &versym);
	while ((scn = elf_nextscn(target->elf->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_GNU_verneed)
			break;
	if (!scn)
		return NULL;

	Elf_Data *data = elf_getdata(scn, NULL);

	for (int at = 0; data && gelf_getverneed(data, at, &need); at += (int)need.vn_next) {
		int aux_at = at + (int)need.vn_aux;

		for (unsigned i = 0; i < need.vn_cnt && gelf_getvernaux(data, aux_at, &aux); i++) {
			if ((aux.vna_other & 0x7fff) == (versym & 0x7fff))
				return elf_strptr(target->elf->elf, shdr.sh_link, need.vn_file);
			aux_at += (int)aux.vna_next;
		}
		if (!need.vn_next)
			break;
	}
	return NULL;
}

static bool is_function_type(uint8_t type)
{
	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

/* What the target imports itself is bound the way the target has it. */
static struct vg_error *import_as_target(struct vg_patch_build *build,
					 const struct vg_symbol *symbol, struct vg_reach *reach)
{
	const struct vg_slot *slot = vg_target_slot_for(build->target, symbol->name);
	struct vg_import import = {
		.name = symbol->name,
		.soname = needed_file(build->target, symbol) ?: "",
		.version = symbol->version ?: "",
		.slot = slot ? slot->address : 0,
	};

	if (is_function_type(GELF_ST_TYPE(symbol->sym.st_info)))
		import.flags |= VGP_IMPORT_FUNCTION;
	if (GELF_ST_BIND(symbol->sym.st_info) == STB_WEAK)
		import.flags |= VGP_IMPORT_WEAK;
	reach->how = "as the target imports it";
	return vg_import_add(build, import, reach);
}

static char *in_folder(struct vg_arena *arena, const char *folder, size_t length,
		       const char *soname)
{
	char *path = vg_arena_printf(arena, "%.*s/%s", (int)length, folder, soname);

	return path && !access(path, R_OK) ? path : NULL;
}

/* $ORIGIN is the folder of the target (ld.so(8)). */
static char *expand_origin(struct vg_arena *arena, const char *target, const char *folder,
			   size_t length)
{
	const char *slash = strrchr(target, '/');
	int origin = slash ? (int)(slash - target) : 1;
	static const char *const words[] = {"$ORIGIN", "${ORIGIN}"};

	for (size_t i = 0; i < 2; i++) {
		size_t word = strlen(words[i]);

		if (length >= word && !strncmp(folder, words[i], word))
			return vg_arena_printf(arena, "%.*s%.*s", origin, slash ? target : ".",
					       (int)(length - word), folder + word);
	}
	return vg_arena_strndup(arena, folder, length);
}

static char *find_library(struct vg_patch_build *build, const char *soname)
{
	const char *runpath = build->target->runpath;
	char *path = NULL;

	for (const char *at = runpath; at && *at && !path;) {
		size_t length = strcspn(at, ":");
		char *folder = expand_origin(build->arena, build->target->elf->path, at, length);

		if (folder)
			path = in_folder(build->arena, folder, strlen(folder), soname);
		at += length + (at[length] == ':');
	}
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(*system_folders) && !path; i++)
		path = in_folder(build->arena, system_folders[i], strlen(system_folders[i]),
				 soname);
	return path;
}

struct library_search {
	struct vg_patch_build *build;
	const char *name;
	VG_LIST(const char *) sonames; /* still to be looked through, and done */
	struct vg_import found;
	bool is_found;
};

static struct vg_error *add_soname(struct library_search *search, const char *soname)
{
	char *copy;

	for (size_t i = 0; i < search->sonames.count; i++)
		if (!strcmp(search->sonames.at[i], soname))
			return NULL;
	copy = vg_arena_strdup(search->build->arena, soname);
	return copy && vg_list_push(search->build->arena, &search->sonames, copy)
		       ? NULL
		       : vg_error_no_memory();
}

static void take_definition(struct library_search *search, const struct vg_symbols *symbols,
			    const char *soname)
{
	for (size_t i = 0; i < symbols->count && !search->is_found; i++) {
		const struct vg_symbol *symbol = &symbols->symbols[i];
		uint8_t type = GELF_ST_TYPE(symbol->sym.st_info);

		if (symbol->sym.st_shndx == SHN_UNDEF || symbol->version_hidden ||
		    GELF_ST_BIND(symbol->sym.st_info) == STB_LOCAL ||
		    strcmp(symbol->name, search->name))
			continue;
		search->is_found = true;
		search->found = (struct vg_import){
			.name = search->name,
			.soname = soname,
			.version = vg_arena_strdup(search->build->arena, symbol->version ?: ""),
			.flags = is_function_type(type) ? VGP_IMPORT_FUNCTION : 0,
		};
	}
}

static struct vg_error *add_needed(struct library_search *search, const struct vg_elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	GElf_Dyn dyn;

	while ((scn = elf_nextscn(elf->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_DYNAMIC)
			break;

	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;

	for (int i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		const char *soname = dyn.d_tag == DT_NEEDED
					     ? elf_strptr(elf->elf, shdr.sh_link, dyn.d_un.d_val)
					     : NULL;

		if (soname)
			VG_TRY(add_soname(search, soname));
	}
	return NULL;
}

/* A library that is not installed here, or is no ELF file, defines nothing. */
static struct vg_error *search_library(struct library_search *search, const char *soname)
{
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = NULL;
	char *path = find_library(search->build, soname);
	struct vg_symbols symbols;
	struct vg_error *error = path ? vg_elf_open(path, &elf) : NULL;

	if (!elf) {
		vg_error_free(error);
		return NULL;
	}
	VG_TRY(vg_elf_symbols(elf, SHT_DYNSYM, &symbols));
	take_definition(search, &symbols, soname);
	vg_symbols_clear(&symbols);
	return search->is_found ? NULL : add_needed(search, elf);
}

static struct vg_error *search_libraries(struct library_search *search)
{
	const struct vg_target *target = search->build->target;

	for (size_t i = 0; i < target->needed.count; i++)
		VG_TRY(add_soname(search, target->needed.at[i]));
	for (size_t i = 0; i < search->sonames.count && i < MAX_LIBRARIES && !search->is_found; i++)
		VG_TRY(search_library(search, search->sonames.at[i]));
	return NULL;
}

struct vg_error *vg_reach_import(struct vg_patch_build *build, const struct vg_item *item,
				 struct vg_reach *reach)
{
	const struct vg_symbol *symbol = vg_target_dynamic(build->target, item->name);
	struct library_search search = {.build = build, .name = item->name};

	if (symbol && symbol->sym.st_shndx == SHN_UNDEF)
		return import_as_target(build, symbol, reach);
	/* Defined by the target, but others may override it: the global scope decides. */
	if (symbol)
		return vg_import_add(
			build,
			(struct vg_import){.name = symbol->name, .soname = "", .version = ""},
			reach);
	VG_TRY(search_libraries(&search));
	if (!search.is_found && vg_item_is_weak(item))
		search.found = (struct vg_import){
			.name = item->name, .soname = "", .version = "", .flags = VGP_IMPORT_WEAK};
	else if (!search.is_found)
		return vg_error_refuse(VG_RULE_AMBIGUOUS,
				       "%s: %s, which the new code refers to, is neither in %s nor "
				       "in a library that it needs",
				       item->object->file, item->name, build->target->elf->path);
	if (!search.found.version)
		return vg_error_no_memory();
	reach->how = "a library that the target needs";
	return vg_import_add(build, search.found, reach);
}
