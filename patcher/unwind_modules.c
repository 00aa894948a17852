/* SPDX-License-Identifier: MIT */
#include "patcher/unwind_modules.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/unwind_file.h"
#include "patcher/unwind_pages.h"

#define PAGE	    4096
#define HEADERS_MAX 64 /* program headers; a dozen is usual */

void unwind_modules_open(struct unwind_modules *modules, const struct vg_memory *memory)
{
	*modules = (struct unwind_modules){
		.memory = memory,
		.file = VG_MAPS_FILE_NONE,
	};
}

static void forget(struct unwind_modules *modules)
{
	unwind_pages_drop(modules);
	for (size_t i = 0; i < modules->module_count; i++)
		free(modules->modules[i].pairs);
	free(vg_take(modules->modules));
	modules->module_count = 0;
}

void unwind_modules_close(struct unwind_modules *modules)
{
	forget(modules);
	free(modules->pages);
	free(modules->areas);
	vg_maps_file_close(&modules->file);
}

static bool is_same_code(const struct vg_map *a, const struct vg_map *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor;
}

static const struct vg_map *next_code(const struct vg_maps *maps, size_t *i)
{
	while (*i < maps->count && !maps->maps[*i].executable)
		++*i;
	return *i < maps->count ? &maps->maps[(*i)++] : NULL;
}

static bool have_same_code(const struct vg_maps *left, const struct vg_maps *right)
{
	const struct vg_map *a, *b;
	size_t i = 0, k = 0;

	do {
		a = next_code(left, &i);
		b = next_code(right, &k);
		if (!a != !b || (a && !is_same_code(a, b)))
			return false;
	} while (a);
	return true;
}

struct vg_error *unwind_modules_refresh(struct unwind_modules *modules)
{
	struct vg_maps_file *file = &modules->file;
	unsigned changes = file->changes;

	if (file->fd < 0)
		VG_TRY(vg_maps_file_open(modules->memory->pid, file));
	VG_TRY(vg_maps_file_read(file));
	if (file->changes != changes && !have_same_code(&file->before, &file->maps)) {
		forget(modules);
		modules->generation++;
	}
	/* Nothing mapped would mean: nothing to be searched, and nobody in the way. */
	if (!file->maps.count)
		return vg_error_new(VG_FAILED, "process %d ended, or runs another program now",
				    modules->memory->pid);
	return NULL;
}

struct vg_error *unwind_modules_set_areas(struct unwind_modules *modules,
					  const struct vg_code_area *areas, size_t count)
{
	struct vg_code_area *copy = NULL;

	if (count) {
		copy = calloc(count, sizeof(*copy));
		if (!copy)
			return vg_error_no_memory();
		memcpy(copy, areas, count * sizeof(*copy));
	}
	free(modules->areas);
	modules->areas = copy;
	modules->area_count = count;
	return NULL;
}

static const struct vg_code_area *find_area(const struct unwind_modules *modules, uint64_t pc)
{
	for (size_t i = 0; i < modules->area_count; i++)
		if (pc >= modules->areas[i].start && pc < modules->areas[i].end)
			return &modules->areas[i];
	return NULL;
}

static bool is_same_file(const struct vg_map *a, const struct vg_map *b)
{
	return a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor && !strcmp(a->path, b->path);
}

/* The mapping with the ELF header: the nearest one below that has the start of the same file. */
static const struct vg_map *header_map(const struct vg_maps *maps, const struct vg_map *code)
{
	if (!strcmp(code->path, "[vdso]"))
		return code;
	if (!vg_map_is_file(code))
		return NULL;
	for (const struct vg_map *map = code; map >= maps->maps; map--)
		if (map->offset == 0 && is_same_file(map, code))
			return map;
	return NULL;
}

struct headers {
	Elf64_Phdr all[HEADERS_MAX];
	unsigned count;
	uint64_t bias;
};

static bool read_headers(struct unwind_modules *modules, uint64_t start, struct headers *headers)
{
	Elf64_Ehdr file;

	if (!unwind_pages_read(modules, start, &file, sizeof(file)) ||
	    memcmp(file.e_ident, ELFMAG, SELFMAG) || file.e_ident[EI_CLASS] != ELFCLASS64 ||
	    file.e_phentsize != sizeof(Elf64_Phdr) || file.e_phnum > HEADERS_MAX)
		return false;
	headers->count = file.e_phnum;
	if (!unwind_pages_read(modules, start + file.e_phoff, headers->all,
			       file.e_phnum * sizeof(Elf64_Phdr)))
		return false;
	for (unsigned i = 0; i < headers->count; i++) {
		if (headers->all[i].p_type == PT_LOAD && headers->all[i].p_offset < PAGE) {
			headers->bias = start - (headers->all[i].p_vaddr & -(uint64_t)PAGE);
			return true;
		}
	}
	return false;
}

/* The end of the file's content in the segment that holds the address. */
static uint64_t segment_end(const struct headers *headers, uint64_t address)
{
	for (unsigned i = 0; i < headers->count; i++) {
		const Elf64_Phdr *load = &headers->all[i];
		uint64_t start = headers->bias + load->p_vaddr;

		if (load->p_type == PT_LOAD && address >= start && address - start < load->p_filesz)
			return start + load->p_filesz;
	}
	return 0;
}

/* The first fields of .eh_frame_hdr: version, three encodings, pointer to .eh_frame. */
static void read_index_head(struct unwind_modules *modules, const struct headers *headers,
			    struct cfi_table *table)
{
	uint8_t bytes[4 + 8];

	if (!unwind_pages_read(modules, table->index, bytes, sizeof(bytes)))
		return;

	struct cfi_slice slice = {bytes, sizeof(bytes), table->index};
	struct cfi_cursor cursor = cfi_cursor_of(&slice);

	cfi_block(&cursor, 4);
	uint64_t frames = cfi_pointer(&cursor, bytes[1], table->index);
	if (bytes[0] != 1 || bytes[1] == CFI_PE_OMIT || cursor.bad)
		return;
	table->eh_frame = frames;
	table->eh_frame_end = segment_end(headers, frames);
	if (!table->eh_frame_end)
		table->eh_frame = 0;
}

/*
 * A program without dynamic linking has no .eh_frame_hdr: where its .eh_frame lies, only the
 * section table of its file tells, which is not in memory. The records themselves are.
 */
static void read_without_index(struct unwind_modules *modules, const struct vg_map *first,
			       struct unwind_module *module)
{
	struct cfi_table *table = &module->table;
	uint64_t bytes;

	if (!unwind_file_eh_frame(modules->memory->pid, first, &table->eh_frame, &bytes))
		return;
	table->eh_frame += module->bias;
	table->eh_frame_end = table->eh_frame + bytes;
	module->pairs = cfi_make_pairs(table, &table->pair_count);
	table->pairs = module->pairs;
}

static void read_module(struct unwind_modules *modules, const struct vg_map *code,
			struct unwind_module *module)
{
	const struct vg_map *first = header_map(&modules->file.maps, code);
	struct headers headers;

	*module = (struct unwind_module){
		.start = code->start,
		.end = code->end,
		.table = {.read = unwind_pages_read, .context = modules},
	};
	if (!first || !read_headers(modules, first->start, &headers))
		return;
	module->bias = headers.bias;
	module->is_elf = true;
	for (unsigned i = 0; i < headers.count; i++) {
		if (headers.all[i].p_type != PT_GNU_EH_FRAME)
			continue;
		module->table.index = headers.bias + headers.all[i].p_vaddr;
		module->table.index_end = module->table.index + headers.all[i].p_memsz;
		read_index_head(modules, &headers, &module->table);
	}
	if (!module->table.index && vg_map_is_file(code))
		read_without_index(modules, first, module);
}

static const struct unwind_module *find_module(struct unwind_modules *modules, uint64_t pc)
{
	for (size_t i = 0; i < modules->module_count; i++)
		if (pc >= modules->modules[i].start && pc < modules->modules[i].end)
			return &modules->modules[i];

	const struct vg_map *code = vg_maps_find(&modules->file.maps, pc);
	if (!code || !code->executable)
		return NULL;

	struct unwind_module *grown = reallocarray(modules->modules, modules->module_count + 1,
						   sizeof(struct unwind_module));
	if (!grown)
		return NULL;
	modules->modules = grown;
	read_module(modules, code, &grown[modules->module_count]);
	return &grown[modules->module_count++];
}

bool unwind_modules_find(struct unwind_modules *modules, uint64_t pc, struct cfi_table *table)
{
	const struct vg_code_area *area = find_area(modules, pc);

	if (area) {
		*table = (struct cfi_table){
			.eh_frame = area->eh_frame,
			.eh_frame_end = area->eh_frame + area->eh_frame_bytes,
			.read = unwind_pages_read_uncached,
			.context = modules,
		};
		return area->eh_frame != 0;
	}

	const struct unwind_module *module = find_module(modules, pc);
	if (!module || !module->table.eh_frame)
		return false;
	*table = module->table;
	return true;
}

void unwind_modules_load_executable(struct unwind_modules *modules)
{
	size_t i = 0;
	const struct vg_map *code = next_code(&modules->file.maps, &i);

	if (code)
		find_module(modules, code->start);
}

bool unwind_modules_bias(struct unwind_modules *modules, uint64_t pc, uint64_t *bias)
{
	const struct unwind_module *module =
		find_area(modules, pc) ? NULL : find_module(modules, pc);

	if (!module || !module->is_elf)
		return false;
	*bias = module->bias;
	return true;
}

static void load_range(struct unwind_modules *modules, uint64_t start, uint64_t end)
{
	uint8_t byte;

	for (uint64_t at = start & -(uint64_t)PAGE; at < end; at += PAGE)
		if (!unwind_pages_read(modules, at, &byte, 1))
			return;
}

void unwind_modules_load(struct unwind_modules *modules)
{
	for (size_t i = 0; i < modules->module_count; i++) {
		const struct cfi_table *table = &modules->modules[i].table;

		load_range(modules, table->index, table->index_end);
		load_range(modules, table->eh_frame, table->eh_frame_end);
	}
}

static char *name_in(const char *path, uint64_t offset)
{
	char *text;

	if (asprintf(&text, "%s+%#lx", basename(path), offset) < 0)
		return NULL;
	return text;
}

char *unwind_modules_name(const struct unwind_modules *modules, uint64_t pc)
{
	const struct vg_code_area *area = find_area(modules, pc);
	const struct vg_map *map = vg_maps_find(&modules->file.maps, pc);
	char *text;

	if (area)
		return name_in(area->name ? area->name : "patch", pc - area->start);
	if (map && map->path[0]) {
		const struct vg_map *first = header_map(&modules->file.maps, map);

		return name_in(map->path, pc - (first ? first->start : map->start));
	}
	return asprintf(&text, "%#lx", pc) < 0 ? NULL : text;
}
