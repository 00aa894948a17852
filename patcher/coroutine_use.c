/* SPDX-License-Identifier: MIT */
/*
 * Can a target make coroutines? Answered from the dynamic symbol tables in its memory: a name that
 * a module imports (st_shndx is SHN_UNDEF) is one that it can call.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/coroutine.h"
#include "patcher/stack_memory.h"

#define PAGE	    UINT64_C(4096)
#define HEADERS_MAX 64
#define DYNAMIC_MAX 256
/* A module with larger tables than this is taken for one that can. */
#define TABLE_MAX (UINT64_C(64) << 20)

struct imports {
	bool has_context, has_signal_stack, has_setjmp;
	bool has_unknown; /* tables that could not be read */
};

struct dynamic {
	uint64_t symbols, strings, strings_bytes;
};

struct module {
	const struct vg_memory *memory;
	uint64_t start, bias;
	Elf64_Phdr headers[HEADERS_MAX];
	unsigned count;
};

static bool read_module(struct module *module)
{
	Elf64_Ehdr file;

	if (!stack_read(module->memory, module->start, &file, sizeof(file)) ||
	    memcmp(file.e_ident, ELFMAG, SELFMAG) || file.e_phentsize != sizeof(Elf64_Phdr) ||
	    file.e_phnum > HEADERS_MAX)
		return false;
	module->count = file.e_phnum;
	if (!stack_read(module->memory, module->start + file.e_phoff, module->headers,
			file.e_phnum * sizeof(Elf64_Phdr)))
		return false;
	for (unsigned i = 0; i < module->count; i++) {
		if (module->headers[i].p_type == PT_LOAD && module->headers[i].p_offset < PAGE) {
			module->bias = module->start - (module->headers[i].p_vaddr & -PAGE);
			return true;
		}
	}
	return false;
}

static const Elf64_Phdr *header_of(const struct module *module, uint32_t type)
{
	for (unsigned i = 0; i < module->count; i++)
		if (module->headers[i].p_type == type)
			return &module->headers[i];
	return NULL;
}

/* The dynamic linker of glibc adds the bias to the addresses in place, others do not. */
static uint64_t absolute(const struct module *module, uint64_t address)
{
	return address < module->bias ? address + module->bias : address;
}

static bool read_dynamic(const struct module *module, struct dynamic *dynamic)
{
	const Elf64_Phdr *header = header_of(module, PT_DYNAMIC);
	Elf64_Dyn entries[DYNAMIC_MAX];
	size_t count = header ? header->p_memsz / sizeof(Elf64_Dyn) : 0;

	if (!count || count > DYNAMIC_MAX ||
	    !stack_read(module->memory, module->bias + header->p_vaddr, entries,
			count * sizeof(Elf64_Dyn)))
		return false;
	*dynamic = (struct dynamic){0};
	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
		if (entries[i].d_tag == DT_SYMTAB)
			dynamic->symbols = absolute(module, entries[i].d_un.d_ptr);
		else if (entries[i].d_tag == DT_STRTAB)
			dynamic->strings = absolute(module, entries[i].d_un.d_ptr);
		else if (entries[i].d_tag == DT_STRSZ)
			dynamic->strings_bytes = entries[i].d_un.d_val;
	}
	/* Nothing says how long .dynsym is, but every linker puts .dynstr behind it. */
	return dynamic->symbols && dynamic->strings > dynamic->symbols &&
	       dynamic->strings - dynamic->symbols < TABLE_MAX &&
	       dynamic->strings_bytes < TABLE_MAX;
}

static void note_import(const char *name, struct imports *imports)
{
	static const char *const contexts[] = {"makecontext", "setcontext", "swapcontext"};
	static const char *const setjmps[] = {"setjmp", "_setjmp", "sigsetjmp", "__sigsetjmp"};

	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
		imports->has_context |= !strcmp(name, contexts[i]);
	for (size_t i = 0; i < sizeof(setjmps) / sizeof(setjmps[0]); i++)
		imports->has_setjmp |= !strcmp(name, setjmps[i]);
	imports->has_signal_stack |= !strcmp(name, "sigaltstack");
}

static void note_symbols(const Elf64_Sym *symbols, size_t count, const char *strings,
			 uint64_t strings_bytes, struct imports *imports)
{
	for (size_t i = 0; i < count; i++)
		if (symbols[i].st_shndx == SHN_UNDEF && symbols[i].st_name < strings_bytes)
			note_import(strings + symbols[i].st_name, imports);
}

static void note_module(const struct module *module, struct imports *imports)
{
	struct dynamic dynamic;

	if (!read_dynamic(module, &dynamic)) {
		imports->has_unknown = true;
		return;
	}

	uint64_t symbols_bytes = dynamic.strings - dynamic.symbols;
	_cleanup_free_ Elf64_Sym *symbols = malloc(symbols_bytes);
	_cleanup_free_ char *strings = calloc(1, dynamic.strings_bytes + 1);

	if (!symbols || !strings ||
	    !stack_read(module->memory, dynamic.symbols, symbols, symbols_bytes) ||
	    !stack_read(module->memory, dynamic.strings, strings, dynamic.strings_bytes))
		imports->has_unknown = true;
	else
		note_symbols(symbols, symbols_bytes / sizeof(Elf64_Sym), strings,
			     dynamic.strings_bytes, imports);
}

static bool is_enough(const struct imports *imports)
{
	return imports->has_unknown || imports->has_context ||
	       (imports->has_signal_stack && imports->has_setjmp);
}

/* Every loaded file has one mapping of its start; those without an ELF header are data. */
static bool starts_a_module(const struct vg_map *map)
{
	return vg_map_is_file(map) && map->offset == 0 && map->readable && !map->shared;
}

bool coroutine_is_possible(struct unwind_modules *modules)
{
	struct imports imports = {0};
	bool has_linker = false;

	for (size_t i = 0; i < modules->file.maps.count && !is_enough(&imports); i++) {
		const struct vg_map *map = &modules->file.maps.maps[i];
		struct module module = {.memory = modules->memory, .start = map->start};

		if (!starts_a_module(map) || !read_module(&module))
			continue;
		if (header_of(&module, PT_INTERP))
			has_linker = true;
		note_module(&module, &imports);
	}
	return is_enough(&imports) || !has_linker;
}
