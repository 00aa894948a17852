/* SPDX-License-Identifier: MIT */
/* Symbol tables with what stands beside them: STT_FILE scopes and GNU symbol versions. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/error.h"

struct version_tables {
	Elf_Data *versym, *verneed, *verdef;
	size_t verneed_link, verdef_link; /* string tables */
};

static Elf_Scn *section_by_type(Elf *elf, uint32_t type, GElf_Shdr *shdr)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, shdr) && shdr->sh_type == type)
			return scn;
	return NULL;
}

static Elf_Data *table_data(Elf *elf, uint32_t type, size_t *link)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = section_by_type(elf, type, &shdr);

	if (link)
		*link = scn ? shdr.sh_link : 0;
	return scn ? elf_getdata(scn, NULL) : NULL;
}

static void open_version_tables(Elf *elf, struct version_tables *tables)
{
	tables->versym = table_data(elf, SHT_GNU_versym, NULL);
	tables->verneed = table_data(elf, SHT_GNU_verneed, &tables->verneed_link);
	tables->verdef = table_data(elf, SHT_GNU_verdef, &tables->verdef_link);
}

/* Offsets chain forward by vn_next/vna_next; a step of 0 ends, and gelf checks the bounds. */
static const char *needed_version(Elf *elf, const struct version_tables *tables, unsigned number)
{
	GElf_Verneed need;
	GElf_Vernaux aux;
	int offset = 0;

	while (tables->verneed && gelf_getverneed(tables->verneed, offset, &need)) {
		int aux_offset = offset + (int)need.vn_aux;

		for (unsigned i = 0;
		     i < need.vn_cnt && gelf_getvernaux(tables->verneed, aux_offset, &aux); i++) {
			if ((aux.vna_other & 0x7fff) == number)
				return elf_strptr(elf, tables->verneed_link, aux.vna_name);
			if (!aux.vna_next)
				break;
			aux_offset += (int)aux.vna_next;
		}
		if (!need.vn_next)
			break;
		offset += (int)need.vn_next;
	}
	return NULL;
}

static const char *defined_version(Elf *elf, const struct version_tables *tables, unsigned number)
{
	GElf_Verdef def;
	GElf_Verdaux aux;
	int offset = 0;

	while (tables->verdef && gelf_getverdef(tables->verdef, offset, &def)) {
		if ((def.vd_ndx & 0x7fff) == number &&
		    gelf_getverdaux(tables->verdef, offset + (int)def.vd_aux, &aux))
			return elf_strptr(elf, tables->verdef_link, aux.vda_name);
		if (!def.vd_next)
			break;
		offset += (int)def.vd_next;
	}
	return NULL;
}

static void read_version(Elf *elf, const struct version_tables *tables, struct vg_symbol *symbol)
{
	GElf_Versym versym;

	if (!tables->versym || !gelf_getversym(tables->versym, (int)symbol->index, &versym))
		return;
	/* 0 is local, 1 is global without a version; bit 15 hides (LSB 5.0, ch. 10.7). */
	if ((versym & 0x7fff) < 2)
		return;
	symbol->version_hidden = versym & 0x8000;
	symbol->version = defined_version(elf, tables, versym & 0x7fff);
	if (!symbol->version)
		symbol->version = needed_version(elf, tables, versym & 0x7fff);
}

/* A local symbol belongs to the STT_FILE symbol that precedes it (System V ABI, ch. 4). */
static void read_symbols(const struct vg_elf *elf, Elf_Data *data, const GElf_Shdr *shdr,
			 struct vg_symbols *symbols)
{
	struct version_tables tables = {0};
	const char *file = NULL;

	if (shdr->sh_type == SHT_DYNSYM)
		open_version_tables(elf->elf, &tables);
	for (size_t i = 0; i < symbols->count; i++) {
		struct vg_symbol *symbol = &symbols->symbols[i];

		symbol->index = i;
		symbol->name = "";
		if (!gelf_getsym(data, (int)i, &symbol->sym))
			continue;
		const char *name = elf_strptr(elf->elf, shdr->sh_link, symbol->sym.st_name);
		if (name)
			symbol->name = name;
		if (GELF_ST_TYPE(symbol->sym.st_info) == STT_FILE)
			file = symbol->name;
		else if (GELF_ST_BIND(symbol->sym.st_info) == STB_LOCAL)
			symbol->file = file;
		read_version(elf->elf, &tables, symbol);
	}
}

struct vg_error *vg_elf_symbols(const struct vg_elf *elf, uint32_t type, struct vg_symbols *symbols)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = section_by_type(elf->elf, type, &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;

	*symbols = (struct vg_symbols){0};
	if (!data || !data->d_size)
		return NULL;
	symbols->count = data->d_size / sizeof(Elf64_Sym);
	symbols->symbols = calloc(symbols->count, sizeof(*symbols->symbols));
	if (!symbols->symbols) {
		symbols->count = 0;
		return vg_error_no_memory();
	}
	read_symbols(elf, data, &shdr, symbols);
	return NULL;
}

void vg_symbols_clear(struct vg_symbols *symbols)
{
	free(symbols->symbols);
	*symbols = (struct vg_symbols){0};
}
