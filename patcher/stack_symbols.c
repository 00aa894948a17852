/* SPDX-License-Identifier: MIT */
/*
 * Names of functions, from the symbol tables of the files that the target maps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/error.h"
#include "patcher/stack_thread.h"
#include "patcher/unwind_file.h"

struct stack_symbols {
	struct stack_symbols *next;
	uint64_t inode;
	uint32_t device_major, device_minor;
	struct vg_elf *elf; /* owns the names */
	struct vg_symbols all;
};

/* .symtab has all functions; a stripped file has those that others may call. */
static struct vg_error *read_symbols(struct stack_symbols *symbols)
{
	VG_TRY(vg_elf_symbols(symbols->elf, SHT_SYMTAB, &symbols->all));
	if (symbols->all.count)
		return NULL;
	vg_symbols_clear(&symbols->all);
	return vg_elf_symbols(symbols->elf, SHT_DYNSYM, &symbols->all);
}

/* Without names: the list entry stays empty, and nobody tries again. */
static void load_symbols(struct vg_stacks *stacks, const struct vg_map *map,
			 struct stack_symbols *symbols)
{
	_cleanup_(vg_error_cleanup) struct vg_error *error = NULL;
	int fd = unwind_file_open(stacks->pid, map);

	if (fd < 0)
		return;
	error = vg_elf_open_fd(fd, map->path, &symbols->elf);
	if (error) {
		symbols->elf = NULL;
		return;
	}
	error = read_symbols(symbols);
	if (error)
		symbols->all = (struct vg_symbols){0};
}

static struct stack_symbols *symbols_of(struct vg_stacks *stacks, const struct vg_map *map)
{
	struct stack_symbols *symbols;

	for (symbols = stacks->symbols; symbols; symbols = symbols->next)
		if (symbols->inode == map->inode && symbols->device_major == map->device_major &&
		    symbols->device_minor == map->device_minor)
			return symbols;
	symbols = calloc(1, sizeof(*symbols));
	if (!symbols)
		return NULL;
	symbols->inode = map->inode;
	symbols->device_major = map->device_major;
	symbols->device_minor = map->device_minor;
	load_symbols(stacks, map, symbols);
	symbols->next = stacks->symbols;
	stacks->symbols = symbols;
	return symbols;
}

static bool covers(const struct vg_symbol *symbol, uint64_t address)
{
	unsigned type = GELF_ST_TYPE(symbol->sym.st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->sym.st_shndx != SHN_UNDEF &&
	       address >= symbol->sym.st_value &&
	       address - symbol->sym.st_value < symbol->sym.st_size;
}

static const struct vg_symbol *find_symbol(const struct vg_symbols *all, uint64_t address)
{
	for (size_t i = 0; i < all->count; i++)
		if (covers(&all->symbols[i], address))
			return &all->symbols[i];
	return NULL;
}

char *stack_symbols_name(struct vg_stacks *stacks, const struct stack_ip *ip)
{
	uint64_t pc = ip->ip - (ip->exact ? 0 : 1), bias;
	const struct vg_map *map = vg_maps_find(&stacks->modules.file.maps, pc);
	const struct vg_symbol *symbol;
	char *text;

	if (!map || !vg_map_is_file(map) || !unwind_modules_bias(&stacks->modules, pc, &bias))
		return NULL;

	const struct stack_symbols *symbols = symbols_of(stacks, map);

	symbol = symbols ? find_symbol(&symbols->all, pc - bias) : NULL;
	if (!symbol)
		return NULL;
	if (asprintf(&text, "%s+%#lx (%s)", symbol->name, ip->ip - bias - symbol->sym.st_value,
		     basename(map->path)) < 0)
		return NULL;
	return text;
}

void stack_symbols_free(struct stack_symbols *symbols)
{
	while (symbols) {
		struct stack_symbols *next = symbols->next;

		vg_symbols_clear(&symbols->all);
		vg_elf_close(symbols->elf);
		free(symbols);
		symbols = next;
	}
}
