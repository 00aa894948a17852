/* SPDX-License-Identifier: MIT */
/* Symbol tables with what stands beside them: STT_FILE scopes and GNU symbol versions. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/error.h"

#define VERSIONS    0x8000 /* numbers of versions have 15 bits (LSB 5.0, ch. 10.7) */
#define ENTRY_BYTES 16	   /* the smallest entry of a version table, Elf64_Vernaux */

struct version_tables {
	Elf_Data *versym;
	const char **names; /* VERSIONS of them by number, or NULL: the file has none */
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

static void name_version(struct version_tables *tables, unsigned number, const char *name)
{
	number &= VERSIONS - 1;
	if (!tables->names[number])
		tables->names[number] = name;
}

/*
 * A chain of entries in a damaged file may lead backwards, or through the same bytes in many ways.
 * Entries of a sound one lie behind each other and fill at least ENTRY_BYTES, so that there are
 * never more steps to make than fit the table.
 */
struct chain {
	Elf_Data *table;
	size_t link;  /* string table */
	size_t steps; /* that may still be made */
};

static struct chain open_chain(Elf *elf, uint32_t type)
{
	struct chain chain = {0};

	chain.table = table_data(elf, type, &chain.link);
	chain.steps = chain.table ? chain.table->d_size / ENTRY_BYTES : 0;
	return chain;
}

/* Where the next entry lies, or -1 behind the last one. */
static int64_t step(struct chain *chain, int64_t offset, uint32_t distance)
{
	int64_t next = offset + distance;

	if (!distance || !chain->steps || next > INT32_MAX)
		return -1;
	chain->steps--;
	return next;
}

static void read_needed(Elf *elf, struct version_tables *tables)
{
	struct chain chain = open_chain(elf, SHT_GNU_verneed);
	GElf_Verneed need;
	GElf_Vernaux aux;

	for (int64_t at = 0; chain.table && at >= 0; at = step(&chain, at, need.vn_next)) {
		if (!gelf_getverneed(chain.table, (int)at, &need))
			return;
		int64_t aux_at = step(&chain, at, need.vn_aux);

		while (aux_at >= 0 && gelf_getvernaux(chain.table, (int)aux_at, &aux)) {
			name_version(tables, aux.vna_other,
				     elf_strptr(elf, chain.link, aux.vna_name));
			aux_at = step(&chain, aux_at, aux.vna_next);
		}
	}
}

static void read_defined(Elf *elf, struct version_tables *tables)
{
	struct chain chain = open_chain(elf, SHT_GNU_verdef);
	GElf_Verdef def;
	GElf_Verdaux aux;

	for (int64_t at = 0; chain.table && at >= 0; at = step(&chain, at, def.vd_next)) {
		if (!gelf_getverdef(chain.table, (int)at, &def))
			return;
		/* Its first name is the version's own; those behind it are what it inherits. */
		int64_t aux_at = at + def.vd_aux;

		if (aux_at <= INT32_MAX && gelf_getverdaux(chain.table, (int)aux_at, &aux))
			name_version(tables, def.vd_ndx, elf_strptr(elf, chain.link, aux.vda_name));
	}
}

static struct vg_error *open_version_tables(Elf *elf, struct version_tables *tables)
{
	tables->versym = table_data(elf, SHT_GNU_versym, NULL);
	if (!tables->versym)
		return NULL;
	tables->names = calloc(VERSIONS, sizeof(*tables->names));
	if (!tables->names)
		return vg_error_no_memory();
	read_defined(elf, tables);
	read_needed(elf, tables);
	return NULL;
}

static void read_version(const struct version_tables *tables, struct vg_symbol *symbol)
{
	GElf_Versym versym;

	if (!tables->names || !gelf_getversym(tables->versym, (int)symbol->index, &versym))
		return;
	/* 0 is local, 1 is global without a version; bit 15 hides (LSB 5.0, ch. 10.7). */
	if ((versym & 0x7fff) < 2)
		return;
	symbol->version_hidden = versym & 0x8000;
	symbol->version = tables->names[versym & 0x7fff];
}

/* A local symbol belongs to the STT_FILE symbol that precedes it (System V ABI, ch. 4). */
static void read_symbols(const struct vg_elf *elf, Elf_Data *data, const GElf_Shdr *shdr,
			 const struct version_tables *tables, struct vg_symbols *symbols)
{
	const char *file = NULL;

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
		read_version(tables, symbol);
	}
}

struct vg_error *vg_elf_symbols(const struct vg_elf *elf, uint32_t type, struct vg_symbols *symbols)
{
	GElf_Shdr shdr;
	struct version_tables tables = {0};
	Elf_Scn *scn = section_by_type(elf->elf, type, &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;

	*symbols = (struct vg_symbols){0};
	if (!data || !data->d_size)
		return NULL;
	if (type == SHT_DYNSYM)
		VG_TRY(open_version_tables(elf->elf, &tables));
	symbols->count = data->d_size / sizeof(Elf64_Sym);
	symbols->symbols = calloc(symbols->count, sizeof(*symbols->symbols));
	if (!symbols->symbols) {
		symbols->count = 0;
		free(tables.names);
		return vg_error_no_memory();
	}
	read_symbols(elf, data, &shdr, &tables, symbols);
	free(tables.names);
	return NULL;
}

bool vg_symbols_name_file(const struct vg_symbols *symbols, const char *file)
{
	for (size_t i = 0; i < symbols->count; i++)
		if (GELF_ST_TYPE(symbols->symbols[i].sym.st_info) == STT_FILE &&
		    !strcmp(basename(symbols->symbols[i].name), basename(file)))
			return true;
	return false;
}

void vg_symbols_clear(struct vg_symbols *symbols)
{
	free(symbols->symbols);
	*symbols = (struct vg_symbols){0};
}
