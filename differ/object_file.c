/* SPDX-License-Identifier: MIT */
#include "differ/object_file.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"

static struct vg_error *damaged(const struct vg_object *object, const char *what)
{
	return vg_error_new(VG_REFUSED, "the object %s, compiled from %s, is damaged: %s",
			    object->path, object->file, what);
}

bool vg_section_is_code(const struct vg_object_section *section)
{
	return (section->flags & SHF_ALLOC) && (section->flags & SHF_EXECINSTR);
}

bool vg_section_is_loaded(const struct vg_object_section *section)
{
	return section->flags & SHF_ALLOC;
}

bool vg_section_is_thread_local(const struct vg_object_section *section)
{
	return section->flags & SHF_TLS;
}

/* Sections of .data.rel.ro are written by the dynamic linker alone: constant to the program. */
bool vg_section_is_writable(const struct vg_object_section *section)
{
	return (section->flags & SHF_WRITE) && strncmp(section->name, ".data.rel.ro", 12);
}

bool vg_item_is_local(const struct vg_item *item)
{
	return !item->symbol || item->symbol->binding == STB_LOCAL;
}

bool vg_item_is_weak(const struct vg_item *item)
{
	return item->symbol && item->symbol->binding == STB_WEAK;
}

bool vg_item_is_function(const struct vg_item *item)
{
	return item->kind == VG_ITEM_FUNCTION;
}

bool vg_item_is_writable(const struct vg_item *item)
{
	return item->section && vg_section_is_writable(item->section);
}

uint64_t vg_item_align(const struct vg_item *item, int64_t offset)
{
	uint64_t align = item->section->align, place = item->offset + (uint64_t)offset;

	while (align > 1 && place % align)
		align /= 2;
	return align ?: 1;
}

const uint8_t *vg_item_bytes(const struct vg_item *item)
{
	if (!item->section || !item->section->data)
		return NULL;
	return item->section->data + item->offset;
}

static size_t first_reloc_at(const struct vg_object_section *section, uint64_t offset)
{
	size_t low = 0, high = section->reloc_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (section->relocs[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct vg_object_reloc *vg_item_relocs(const struct vg_item *item, size_t *count)
{
	*count = 0;
	if (!item->section || !item->section->relocs)
		return NULL;

	size_t first = first_reloc_at(item->section, item->offset);

	*count = first_reloc_at(item->section, item->offset + item->size) - first;
	return item->section->relocs + first;
}

#define SHOWN_BYTES 40 /* of a string */

static char escape_of(char c)
{
	switch (c) {
	case '\n':
		return 'n';
	case '\t':
		return 't';
	case '\r':
		return 'r';
	case '"':
	case '\\':
		return c;
	default:
		return '\0';
	}
}

/* As C writes it, so that it stays on its line. */
static const char *string_text(const struct vg_item *item)
{
	const char *string = (const char *)vg_item_bytes(item) ?: "";
	char text[2 * SHOWN_BYTES + 1];
	size_t used = 0;

	for (size_t i = 0; i < item->size && i < SHOWN_BYTES && string[i]; i++) {
		char escape = escape_of(string[i]);

		if (escape)
			text[used++] = '\\';
		text[used++] = escape ?: string[i];
	}
	return vg_arena_printf(item->object->arena, "string \"%.*s\"%s", (int)used, text,
			       item->size > SHOWN_BYTES ? "…" : "");
}

const char *vg_item_text(const struct vg_item *item)
{
	const char *text;

	if (item->name && strncmp(item->name, ".L", 2))
		return item->name;
	if (item->kind == VG_ITEM_STRING && item->section->entry_bytes == 1)
		text = string_text(item);
	else
		text = vg_arena_printf(item->object->arena, "constant at %s+0x%llx",
				       item->section ? item->section->name : "?",
				       (unsigned long long)item->offset);
	return text ?: "constant";
}

static struct vg_error *read_section(struct vg_object *object, size_t strings, Elf_Scn *scn,
				     struct vg_object_section *section)
{
	GElf_Shdr shdr;

	if (!gelf_getshdr(scn, &shdr))
		return damaged(object, "a section header cannot be read");
	section->index = elf_ndxscn(scn);
	section->name = elf_strptr(object->elf->elf, strings, shdr.sh_name) ?: "";
	section->type = shdr.sh_type;
	section->flags = shdr.sh_flags;
	section->size = shdr.sh_size;
	section->align = shdr.sh_addralign ?: 1;
	section->entry_bytes = shdr.sh_entsize;
	if (section->size > INT32_MAX || section->align > (1u << 30) ||
	    (section->align & (section->align - 1)))
		return damaged(object, "a section has an impossible size or alignment");
	if (shdr.sh_type == SHT_NOBITS || !shdr.sh_size || shdr.sh_type == SHT_NULL)
		return NULL;

	Elf_Data *data = elf_rawdata(scn, NULL);

	if (!data || !data->d_buf || data->d_size < shdr.sh_size)
		return damaged(object, "a section lies outside the file");
	section->data = data->d_buf;
	return NULL;
}

static struct vg_error *read_sections(struct vg_object *object)
{
	size_t count, strings;

	if (elf_getshdrnum(object->elf->elf, &count) ||
	    elf_getshdrstrndx(object->elf->elf, &strings))
		return damaged(object, "it has no section table");
	object->sections = vg_arena_alloc(object->arena, count ?: 1, sizeof(*object->sections));
	if (!object->sections)
		return vg_error_no_memory();
	object->section_count = count;
	for (size_t i = 0; i < count; i++) {
		Elf_Scn *scn = elf_getscn(object->elf->elf, i);

		object->sections[i].name = "";
		object->sections[i].align = 1;
		if (!scn)
			return damaged(object, "a section is missing");
		if (i)
			VG_TRY(read_section(object, strings, scn, &object->sections[i]));
	}
	return NULL;
}

static struct vg_error *read_symbol(struct vg_object *object, size_t strings, const Elf64_Sym *raw,
				    struct vg_object_symbol *symbol)
{
	symbol->name = elf_strptr(object->elf->elf, strings, raw->st_name) ?: "";
	symbol->type = ELF64_ST_TYPE(raw->st_info);
	symbol->binding = ELF64_ST_BIND(raw->st_info);
	symbol->visibility = ELF64_ST_VISIBILITY(raw->st_other);
	symbol->raw_section = raw->st_shndx;
	symbol->value = raw->st_value;
	symbol->size = raw->st_size;
	if (raw->st_shndx == SHN_UNDEF || raw->st_shndx >= SHN_LORESERVE) {
		if (raw->st_shndx == SHN_XINDEX)
			return vg_error_new(VG_REFUSED, "%s has too many sections to be read",
					    object->path);
		return NULL;
	}
	if (raw->st_shndx >= object->section_count)
		return damaged(object, "a symbol points outside the section table");
	symbol->section = &object->sections[raw->st_shndx];
	if (symbol->value > symbol->section->size ||
	    symbol->size > symbol->section->size - symbol->value)
		return damaged(object, "a symbol reaches beyond its section");
	return NULL;
}

static struct vg_error *read_symbols(struct vg_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		struct vg_object_section *section = &object->sections[i];
		GElf_Shdr shdr;

		if (section->type != SHT_SYMTAB)
			continue;
		if (object->symbols || !gelf_getshdr(elf_getscn(object->elf->elf, i), &shdr))
			return damaged(object, "it has more than one symbol table");
		object->symbol_count = section->size / sizeof(Elf64_Sym);
		object->symbols = vg_arena_alloc(object->arena, object->symbol_count + 1,
						 sizeof(*object->symbols));
		if (!object->symbols)
			return vg_error_no_memory();
		for (size_t s = 0; s < object->symbol_count; s++) {
			Elf64_Sym raw;

			memcpy(&raw, section->data + s * sizeof(raw), sizeof(raw));
			VG_TRY(read_symbol(object, shdr.sh_link, &raw, &object->symbols[s]));
		}
	}
	return object->symbol_count ? NULL : damaged(object, "it has no symbol table");
}

static int by_offset(const void *left, const void *right)
{
	const struct vg_object_reloc *a = left, *b = right;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Bytes that a relocation of this type writes (System V ABI x86-64, 4.4.1). */
size_t vg_reloc_bytes(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_8:
	case R_X86_64_PC8:
		return 1;
	case R_X86_64_16:
	case R_X86_64_PC16:
		return 2;
	case R_X86_64_64:
	case R_X86_64_PC64:
	case R_X86_64_DTPMOD64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_TPOFF64:
	case R_X86_64_GOTOFF64:
	case R_X86_64_SIZE64:
		return 8;
	default:
		return 4;
	}
}

static struct vg_error *read_relocs(struct vg_object *object, struct vg_object_section *table,
				    struct vg_object_section *section)
{
	size_t count = table->size / sizeof(Elf64_Rela);

	if (section->relocs)
		return damaged(object, "a section has two relocation tables");
	if (!section->data)
		return damaged(object, "a section without contents has relocations");
	section->relocs = vg_arena_alloc(object->arena, count + 1, sizeof(*section->relocs));
	if (!section->relocs)
		return vg_error_no_memory();
	for (size_t i = 0; i < count; i++) {
		struct vg_object_reloc *reloc = &section->relocs[i];
		Elf64_Rela raw;

		memcpy(&raw, table->data + i * sizeof(raw), sizeof(raw));
		reloc->offset = raw.r_offset;
		reloc->type = ELF64_R_TYPE(raw.r_info);
		reloc->addend = raw.r_addend;
		if (ELF64_R_SYM(raw.r_info) >= object->symbol_count)
			return damaged(object, "a relocation has no symbol");
		if (reloc->offset > section->size ||
		    vg_reloc_bytes(reloc->type) > section->size - reloc->offset)
			return damaged(object, "a relocation lies outside its section");
		reloc->symbol = &object->symbols[ELF64_R_SYM(raw.r_info)];
	}
	section->reloc_count = count;
	qsort(section->relocs, count, sizeof(*section->relocs), by_offset);
	return NULL;
}

/* Relocations of debug sections are libdwarf's; in compressed ones they have no place yet. */
static struct vg_error *read_all_relocs(struct vg_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		GElf_Shdr shdr;

		if (object->sections[i].type != SHT_RELA || !object->sections[i].size)
			continue;
		if (!gelf_getshdr(elf_getscn(object->elf->elf, i), &shdr) ||
		    shdr.sh_info >= object->section_count)
			return damaged(object, "a relocation table belongs to no section");
		if (vg_section_is_loaded(&object->sections[shdr.sh_info]))
			VG_TRY(read_relocs(object, &object->sections[i],
					   &object->sections[shdr.sh_info]));
	}
	return NULL;
}

struct vg_error *vg_object_read(struct vg_arena *arena, const char *path, const char *file,
				struct vg_object **object)
{
	struct vg_object *made = vg_arena_alloc(arena, 1, sizeof(*made));

	*object = made;
	if (!made)
		return vg_error_no_memory();
	made->arena = arena;
	made->path = vg_arena_strdup(arena, path);
	made->file = vg_arena_strdup(arena, file);
	if (!made->path || !made->file)
		return vg_error_no_memory();
	VG_TRY(vg_elf_open(path, &made->elf));
	if (made->elf->header.e_type != ET_REL)
		return vg_error_new(VG_REFUSED, "%s is not a relocatable object (compiled from %s)",
				    path, file);
	VG_TRY(read_sections(made));
	VG_TRY(read_symbols(made));
	VG_TRY(read_all_relocs(made));
	VG_TRY(vg_object_find_items(made));
	return vg_object_find_users(made);
}

void vg_object_close(struct vg_object *object)
{
	if (object && object->elf) {
		vg_elf_close(object->elf);
		object->elf = NULL;
	}
}
