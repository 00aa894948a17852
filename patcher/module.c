/* SPDX-License-Identifier: MIT */
#include "patcher/module.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define MAX_PHDRS      128
#define MAX_NOTE_BYTES (64u << 10)
#define PAGE_MASK      0xfffull

/* What the target has in memory is untrusted: anything odd means "not a module". */
struct image {
	const struct vg_memory *memory;
	const struct vg_maps *maps;
	const struct vg_map *map; /* the one with file offset 0 */
	Elf64_Ehdr header;
	Elf64_Phdr phdrs[MAX_PHDRS];
};

static bool read_headers(struct image *image)
{
	Elf64_Ehdr *header = &image->header;
	size_t bytes = sizeof(*header);

	if (vg_memory_read_some(image->memory, image->map->start, header, bytes) != bytes)
		return false;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64 ||
	    header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > MAX_PHDRS)
		return false;
	bytes = header->e_phnum * sizeof(Elf64_Phdr);
	return vg_memory_read_some(image->memory, image->map->start + header->e_phoff, image->phdrs,
				   bytes) == bytes;
}

/* The load bias follows from the PT_LOAD that holds file offset 0. */
static bool find_bias(const struct image *image, uint64_t *bias)
{
	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const Elf64_Phdr *phdr = &image->phdrs[i];

		if (phdr->p_type != PT_LOAD || (phdr->p_offset & ~PAGE_MASK) != 0)
			continue;
		*bias = image->map->start - (phdr->p_vaddr & ~PAGE_MASK);
		return true;
	}
	return false;
}

static bool is_same_file(const struct vg_map *a, const struct vg_map *b)
{
	return a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor;
}

/*
 * An executable PT_LOAD must be mapped executable from the right offset of the same file. A tool
 * that maps a whole ELF file read-only to look at it fails this.
 */
static bool is_loaded(const struct image *image, uint64_t bias)
{
	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const Elf64_Phdr *phdr = &image->phdrs[i];

		if (phdr->p_type != PT_LOAD || !(phdr->p_flags & PF_X))
			continue;
		const struct vg_map *map = vg_maps_find(image->maps, bias + phdr->p_vaddr);

		if (!map || !map->executable || !is_same_file(map, image->map) ||
		    (bias + phdr->p_vaddr) - map->start + map->offset != phdr->p_offset)
			return false;
	}
	return true;
}

/* Notes are aligned to 4 bytes, or to 8 if their segment is (System V ABI; gABI, Note Section). */
static void find_build_id(struct vg_module *module, const uint8_t *notes, size_t bytes,
			  size_t align)
{
	size_t offset = 0;

	while (offset + sizeof(Elf64_Nhdr) <= bytes) {
		Elf64_Nhdr note;

		memcpy(&note, notes + offset, sizeof(note));
		size_t name = offset + sizeof(note);
		size_t content = name + (((size_t)note.n_namesz + align - 1) & ~(align - 1));
		size_t next = content + (((size_t)note.n_descsz + align - 1) & ~(align - 1));

		if (content > bytes || note.n_descsz > bytes - content)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp(notes + name, "GNU", 4) == 0 && note.n_descsz &&
		    note.n_descsz <= VGP_MAX_BUILD_ID) {
			memcpy(module->build_id, notes + content, note.n_descsz);
			module->build_id_bytes = note.n_descsz;
			return;
		}
		offset = next;
	}
}

static void read_notes(const struct image *image, struct vg_module *module, const Elf64_Phdr *phdr)
{
	size_t bytes = phdr->p_memsz < MAX_NOTE_BYTES ? phdr->p_memsz : MAX_NOTE_BYTES;
	_cleanup_free_ uint8_t *notes = malloc(bytes ? bytes : 1);

	if (!notes || module->build_id_bytes)
		return;
	bytes = vg_memory_read_some(image->memory, module->bias + phdr->p_vaddr, notes, bytes);
	find_build_id(module, notes, bytes, phdr->p_align == 8 ? 8 : 4);
}

static void describe(const struct image *image, struct vg_module *module)
{
	module->start = UINT64_MAX;
	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const Elf64_Phdr *phdr = &image->phdrs[i];
		uint64_t address = module->bias + phdr->p_vaddr;

		if (phdr->p_type == PT_LOAD) {
			if (address < module->start)
				module->start = address & ~PAGE_MASK;
			if (address + phdr->p_memsz > module->end)
				module->end = (address + phdr->p_memsz + PAGE_MASK) & ~PAGE_MASK;
		} else if (phdr->p_type == PT_DYNAMIC) {
			module->dynamic = address;
			module->dynamic_bytes = phdr->p_memsz;
		} else if (phdr->p_type == PT_NOTE) {
			read_notes(image, module, phdr);
		}
	}
}

static bool read_module(struct image *image, struct vg_module *module)
{
	*module = (struct vg_module){.path = image->map->path};
	if (!read_headers(image) || !find_bias(image, &module->bias) ||
	    !is_loaded(image, module->bias))
		return false;
	describe(image, module);
	return module->start < module->end;
}

struct vg_error *vg_modules_read(const struct vg_memory *memory, const struct vg_maps *maps,
				 struct vg_modules *modules)
{
	_cleanup_free_ struct image *image = calloc(1, sizeof(*image));

	*modules = (struct vg_modules){
		.modules = calloc(maps->count ? maps->count : 1, sizeof(struct vg_module))};
	if (!image || !modules->modules) {
		vg_modules_clear(modules);
		return vg_error_new(VG_FAILED, "out of memory for the modules of the target");
	}
	image->memory = memory;
	image->maps = maps;
	for (size_t i = 0; i < maps->count; i++) {
		image->map = &maps->maps[i];
		if (!vg_map_is_file(image->map) || image->map->offset || !image->map->readable)
			continue;
		if (read_module(image, &modules->modules[modules->count]))
			modules->count++;
	}
	return NULL;
}

void vg_modules_clear(struct vg_modules *modules)
{
	free(modules->modules);
	*modules = (struct vg_modules){0};
}

const struct vg_module *vg_modules_find(const struct vg_modules *modules, const uint8_t *build_id,
					size_t build_id_bytes, size_t *count)
{
	const struct vg_module *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < modules->count; i++) {
		const struct vg_module *module = &modules->modules[i];

		if (module->build_id_bytes != build_id_bytes ||
		    memcmp(module->build_id, build_id, build_id_bytes) != 0)
			continue;
		if (!found)
			found = module;
		n++;
	}
	if (count)
		*count = n;
	return found;
}

const struct vg_module *vg_modules_at(const struct vg_modules *modules, uint64_t address)
{
	for (size_t i = 0; i < modules->count; i++)
		if (address >= modules->modules[i].start && address < modules->modules[i].end)
			return &modules->modules[i];
	return NULL;
}

const struct vg_module *vg_modules_named(const struct vg_modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(basename(modules->modules[i].path), name) == 0)
			return &modules->modules[i];
	return NULL;
}
