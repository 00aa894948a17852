/* SPDX-License-Identifier: MIT */
#include "differ/die_sections.h"

#include <string.h>

#include "common/error.h"

/* Where the symbols of a relocation table are. */
struct symbols {
	const uint8_t *bytes;
	size_t count;
};

static bool is_debug_section(const char *name)
{
	return !strncmp(name, ".debug_", 7) || !strncmp(name, ".zdebug_", 8);
}

/* -gz=zlib-gnu marks compression by the name. libelf refuses sizes that no ratio explains. */
static Elf_Data *plain_data(Elf_Scn *scn, const GElf_Shdr *shdr, const char *name)
{
	if (shdr->sh_flags & SHF_COMPRESSED && elf_compress(scn, 0, 0) < 0)
		return NULL;
	if (name[1] == 'z' && elf_compress_gnu(scn, 0, 0) < 0)
		return NULL;
	return elf_rawdata(scn, NULL);
}

static bool find_symbols(const struct vg_elf *elf, const GElf_Shdr *table, struct symbols *symbols)
{
	Elf_Scn *scn = elf_getscn(elf->elf, table->sh_link);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;

	if (!data || !data->d_buf)
		return false;
	symbols->bytes = data->d_buf;
	symbols->count = data->d_size / sizeof(Elf64_Sym);
	return true;
}

/* Code and data lie in their section's own 4 GiB, debug sections at 0. */
static bool symbol_value(const struct vg_elf *elf, const struct symbols *symbols, size_t index,
			 uint64_t *value)
{
	Elf64_Sym symbol;
	GElf_Shdr shdr;

	if (index >= symbols->count)
		return false;
	memcpy(&symbol, symbols->bytes + index * sizeof(symbol), sizeof(symbol));
	*value = symbol.st_value;
	if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE)
		return true;

	Elf_Scn *scn = elf_getscn(elf->elf, symbol.st_shndx);

	if (!scn || !gelf_getshdr(scn, &shdr))
		return false;
	if (shdr.sh_flags & SHF_ALLOC)
		*value = vg_die_address(symbol.st_shndx, symbol.st_value);
	return true;
}

/* The types that compilers use in debug sections (System V ABI x86-64, 4.4.1). */
static bool relocate(const struct vg_elf *elf, const struct symbols *symbols,
		     const Elf64_Rela *rela, struct vg_die_section *section)
{
	uint32_t type = ELF64_R_TYPE(rela->r_info);
	size_t bytes = type == R_X86_64_64 || type == R_X86_64_DTPOFF64 ? 8 : 4;
	uint64_t value = 0;

	if (type == R_X86_64_NONE)
		return true;
	if (rela->r_offset > section->size || bytes > section->size - rela->r_offset)
		return false;
	if (type == R_X86_64_64 || type == R_X86_64_32) {
		if (!symbol_value(elf, symbols, ELF64_R_SYM(rela->r_info), &value))
			return false;
	} else if (type != R_X86_64_DTPOFF64 && type != R_X86_64_DTPOFF32) {
		return false;
	}
	value += (uint64_t)rela->r_addend;
	memcpy(section->bytes + rela->r_offset, &value, bytes);
	return bytes == 8 || value <= UINT32_MAX;
}

static bool apply_table(const struct vg_elf *elf, Elf_Scn *table, const GElf_Shdr *shdr,
			struct vg_die_section *section)
{
	Elf_Data *data = elf_rawdata(table, NULL);
	struct symbols symbols;

	if (!data || (data->d_size && !data->d_buf) || !find_symbols(elf, shdr, &symbols))
		return false;
	for (size_t i = 0; i < data->d_size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela rela;

		memcpy(&rela, (const uint8_t *)data->d_buf + i * sizeof(rela), sizeof(rela));
		if (!relocate(elf, &symbols, &rela, section))
			return false;
	}
	return true;
}

static bool apply_tables(const struct vg_elf *elf, size_t index, struct vg_die_section *section)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf->elf, scn));) {
		GElf_Shdr shdr;

		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_RELA && shdr.sh_info == index &&
		    !apply_table(elf, scn, &shdr, section))
			return false;
	}
	return true;
}

/* Only relocatable objects need a copy: the others are read where they are mapped. */
static struct vg_error *read_section(struct vg_arena *arena, const struct vg_elf *elf, Elf_Scn *scn,
				     struct vg_die_section *section, bool *damaged)
{
	bool compressed = section->name[1] == 'z';
	GElf_Shdr shdr;
	Elf_Data *data = gelf_getshdr(scn, &shdr) && shdr.sh_type != SHT_NOBITS
				 ? plain_data(scn, &shdr, section->name)
				 : NULL;

	*damaged = !data || !data->d_buf || data->d_size > UINT32_MAX;
	if (*damaged)
		return NULL;
	section->bytes = data->d_buf;
	section->size = data->d_size;
	if (compressed)
		section->name = vg_arena_printf(arena, ".%s", section->name + 2);
	if (!section->name)
		return vg_error_no_memory();
	if (elf->header.e_type != ET_REL)
		return NULL;
	section->bytes = vg_arena_alloc(arena, section->size, 1);
	if (!section->bytes)
		return vg_error_no_memory();
	memcpy(section->bytes, data->d_buf, section->size);
	*damaged = !apply_tables(elf, elf_ndxscn(scn), section);
	return NULL;
}

/* The next three: sizes that DWARF for x86-64 has. */
static Dwarf_Endianness byte_order(void *object)
{
	(void)object;
	return DW_OBJECT_LSB;
}

static Dwarf_Small length_size(void *object)
{
	(void)object;
	return 4;
}

static Dwarf_Small pointer_size(void *object)
{
	(void)object;
	return 8;
}

static Dwarf_Unsigned section_count(void *object)
{
	return ((const struct vg_die_sections *)object)->list.count;
}

static int section_info(void *object, Dwarf_Half index, Dwarf_Obj_Access_Section *info, int *error)
{
	const struct vg_die_sections *sections = object;

	(void)error;
	if (index >= sections->list.count)
		return DW_DLV_NO_ENTRY;
	*info = (Dwarf_Obj_Access_Section){.name = sections->list.at[index].name,
					   .size = sections->list.at[index].size,
					   .type = index ? SHT_PROGBITS : SHT_NULL};
	return DW_DLV_OK;
}

static int load_section(void *object, Dwarf_Half index, Dwarf_Small **bytes, int *error)
{
	const struct vg_die_sections *sections = object;

	(void)error;
	if (index >= sections->list.count || !sections->list.at[index].bytes)
		return DW_DLV_NO_ENTRY;
	*bytes = sections->list.at[index].bytes;
	return DW_DLV_OK;
}

static const Dwarf_Obj_Access_Methods methods = {
	.get_section_info = section_info,
	.get_byte_order = byte_order,
	.get_length_size = length_size,
	.get_pointer_size = pointer_size,
	.get_section_count = section_count,
	.load_section = load_section,
};

static struct vg_error *add(struct vg_arena *arena, struct vg_die_sections *sections,
			    struct vg_die_section section)
{
	return vg_list_push(arena, &sections->list, section) ? NULL : vg_error_no_memory();
}

struct vg_error *vg_die_sections_read(struct vg_arena *arena, const struct vg_elf *elf,
				      struct vg_die_sections *sections)
{
	size_t strings;

	*sections = (struct vg_die_sections){.access = {.object = sections, .methods = &methods}};
	VG_TRY(add(arena, sections, (struct vg_die_section){.name = ""}));
	if (elf_getshdrstrndx(elf->elf, &strings))
		return NULL;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf->elf, scn));) {
		GElf_Shdr shdr;
		const char *name = gelf_getshdr(scn, &shdr)
					   ? elf_strptr(elf->elf, strings, shdr.sh_name)
					   : NULL;
		struct vg_die_section section = {.name = name};
		bool damaged = false;

		/* one of each name: libdwarf would take an object of two for damaged */
		if (!name || !is_debug_section(name) || !shdr.sh_size ||
		    shdr.sh_flags & SHF_GROUP || vg_die_section_named(sections, name))
			continue;
		VG_TRY(read_section(arena, elf, scn, &section, &damaged));
		sections->is_damaged |= damaged;
		if (!damaged)
			VG_TRY(add(arena, sections, section));
	}
	return NULL;
}

const struct vg_die_section *vg_die_section_named(const struct vg_die_sections *sections,
						  const char *name)
{
	for (size_t i = 0; i < sections->list.count; i++)
		if (!strcmp(sections->list.at[i].name, name))
			return &sections->list.at[i];
	return NULL;
}
