/* SPDX-License-Identifier: MIT */
#include "patcher/dynamic.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SYMBOLS (1u << 22)
#define MAX_BYTES   (256u << 20)
#define MAX_TAGS    512
#define BLOCK	    1024 /* buckets of a hash table read at a time */

#define VERSION_HIDDEN 0x8000

struct tags {
	uint64_t symtab, strtab, strsz, hash, gnu_hash, versym, soname;
	uint64_t rela, relasz, jmprel, pltrelsz;
};

/* The dynamic linker of glibc turns addresses of a module's table into absolute ones, musl's not.
 */
static uint64_t absolute(const struct vg_module *module, uint64_t value)
{
	if (!value || (value >= module->start && value < module->end))
		return value;
	return module->bias + value;
}

static void read_tag(const Elf64_Dyn *entry, struct tags *tags, struct vg_dynamic *dynamic)
{
	const struct vg_module *module = dynamic->module;
	uint64_t value = entry->d_un.d_val;

	switch (entry->d_tag) {
	case DT_SYMTAB:
		tags->symtab = absolute(module, value);
		break;
	case DT_STRTAB:
		tags->strtab = absolute(module, value);
		break;
	case DT_STRSZ:
		tags->strsz = value;
		break;
	case DT_HASH:
		tags->hash = absolute(module, value);
		break;
	case DT_GNU_HASH:
		tags->gnu_hash = absolute(module, value);
		break;
	case DT_VERSYM:
		tags->versym = absolute(module, value);
		break;
	case DT_SONAME:
		tags->soname = value;
		break;
	case DT_RELA:
		tags->rela = absolute(module, value);
		break;
	case DT_RELASZ:
		tags->relasz = value;
		break;
	case DT_JMPREL:
		tags->jmprel = absolute(module, value);
		break;
	case DT_PLTRELSZ:
		tags->pltrelsz = value;
		break;
	case DT_VERDEF:
		dynamic->verdef = absolute(module, value);
		break;
	case DT_VERDEFNUM:
		dynamic->verdef_count = value;
		break;
	case DT_VERNEED:
		dynamic->verneed = absolute(module, value);
		break;
	case DT_VERNEEDNUM:
		dynamic->verneed_count = value;
		break;
	default:
		break;
	}
}

static void read_tags(const struct vg_memory *memory, struct vg_dynamic *dynamic, struct tags *tags)
{
	Elf64_Dyn entries[MAX_TAGS];
	uint64_t bytes = dynamic->module->dynamic_bytes;
	size_t count = vg_memory_read_some(memory, dynamic->module->dynamic, entries,
					   bytes < sizeof(entries) ? bytes : sizeof(entries)) /
		       sizeof(entries[0]);

	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
		read_tag(&entries[i], tags, dynamic);
}

static uint32_t word(const struct vg_memory *memory, uint64_t address)
{
	uint32_t value = 0;

	return vg_memory_read_some(memory, address, &value, sizeof(value)) == sizeof(value) ? value
											    : 0;
}

/*
 * The lowest bit of a hash marks the end. A target that has died meanwhile has no more of them: it
 * is not asked a million times.
 */
static size_t end_of_chain(const struct vg_memory *memory, uint64_t chains, uint32_t first,
			   uint32_t last)
{
	for (; last < MAX_SYMBOLS; last++) {
		uint64_t address = chains + 4ull * (last - first);
		uint32_t hash;

		if (vg_memory_read_some(memory, address, &hash, sizeof(hash)) != sizeof(hash))
			return 0;
		if (hash & 1)
			break;
	}
	return last + 1;
}

/* DT_GNU_HASH has no count: the last symbol is at the end of the chain of the highest bucket. */
static size_t count_gnu(const struct vg_memory *memory, uint64_t table)
{
	uint32_t buckets = word(memory, table);
	uint32_t first = word(memory, table + 4);
	uint32_t bloom = word(memory, table + 8);
	uint64_t bucket = table + 16 + 8ull * bloom;
	uint64_t chains = bucket + 4ull * buckets;
	uint32_t last = 0;

	for (uint32_t i = 0; i < buckets && i < MAX_SYMBOLS; i += BLOCK) {
		uint32_t symbols[BLOCK] = {0};
		size_t most = buckets - i < BLOCK ? buckets - i : BLOCK;

		(void)vg_memory_read_some(memory, bucket + 4ull * i, symbols,
					  most * sizeof(symbols[0]));
		for (size_t j = 0; j < most; j++)
			last = symbols[j] > last ? symbols[j] : last;
	}
	if (last < first)
		return first;
	return end_of_chain(memory, chains, first, last);
}

static size_t count_symbols(const struct vg_memory *memory, const struct tags *tags)
{
	size_t count = 0;

	if (tags->hash)
		count = word(memory, tags->hash + 4);
	else if (tags->gnu_hash)
		count = count_gnu(memory, tags->gnu_hash);
	return count < MAX_SYMBOLS ? count : 0;
}

/* A copy of [address, address + bytes); what can't be read stays zero. */
static void *copy(const struct vg_memory *memory, uint64_t address, uint64_t bytes)
{
	char *buffer = bytes < MAX_BYTES ? calloc(1, bytes + 1) : NULL;

	if (buffer && address)
		(void)vg_memory_read_some(memory, address, buffer, bytes);
	return buffer;
}

static struct vg_error *read_relocs(const struct vg_memory *memory, const struct tags *tags,
				    struct vg_dynamic *dynamic)
{
	uint64_t rela = tags->rela ? tags->relasz / sizeof(Elf64_Rela) : 0;
	uint64_t plt = tags->jmprel ? tags->pltrelsz / sizeof(Elf64_Rela) : 0;

	if (rela > MAX_SYMBOLS || plt > MAX_SYMBOLS)
		return NULL;
	dynamic->relocs = calloc(rela + plt + 1, sizeof(Elf64_Rela));
	if (!dynamic->relocs)
		return vg_error_new(VG_FAILED, "out of memory for relocations");
	dynamic->reloc_count = rela + plt;
	(void)vg_memory_read_some(memory, tags->rela, dynamic->relocs, rela * sizeof(Elf64_Rela));
	(void)vg_memory_read_some(memory, tags->jmprel, dynamic->relocs + rela,
				  plt * sizeof(Elf64_Rela));
	return NULL;
}

struct vg_error *vg_dynamic_read(const struct vg_memory *memory, const struct vg_module *module,
				 struct vg_dynamic *dynamic)
{
	struct tags tags = {0};

	*dynamic = (struct vg_dynamic){.module = module, .soname = ""};
	if (!module->dynamic)
		return NULL;
	read_tags(memory, dynamic, &tags);
	if (!tags.symtab || !tags.strtab)
		return NULL;
	dynamic->symbol_count = count_symbols(memory, &tags);
	dynamic->symbols = copy(memory, tags.symtab, dynamic->symbol_count * sizeof(Elf64_Sym));
	dynamic->strings = copy(memory, tags.strtab, tags.strsz);
	dynamic->string_bytes = tags.strsz;
	if (tags.versym)
		dynamic->versions =
			copy(memory, tags.versym, dynamic->symbol_count * sizeof(uint16_t));
	if (!dynamic->symbols || !dynamic->strings || (tags.versym && !dynamic->versions))
		return vg_error_new(VG_FAILED, "out of memory for the symbols of %s", module->path);
	if (tags.soname)
		dynamic->soname = vg_dynamic_string(dynamic, tags.soname);
	return read_relocs(memory, &tags, dynamic);
}

void vg_dynamic_clear(struct vg_dynamic *dynamic)
{
	free(dynamic->symbols);
	free(dynamic->strings);
	free(dynamic->versions);
	free(dynamic->relocs);
	*dynamic = (struct vg_dynamic){.soname = ""};
}

const char *vg_dynamic_string(const struct vg_dynamic *dynamic, uint64_t offset)
{
	/* copy() left a NUL behind the last byte. */
	return offset < dynamic->string_bytes ? dynamic->strings + offset : "";
}

static bool read_at(const struct vg_memory *memory, uint64_t address, void *record, size_t bytes)
{
	return vg_memory_read_some(memory, address, record, bytes) == bytes;
}

/* Is version index `wanted`, as a definition of the module, called `version`? */
static bool is_defined_version(const struct vg_memory *memory, const struct vg_dynamic *dynamic,
			       uint16_t wanted, const char *version)
{
	uint64_t at = dynamic->verdef;

	for (uint64_t i = 0; at && i < dynamic->verdef_count && i < 65536; i++) {
		Elf64_Verdef def;
		Elf64_Verdaux aux;

		if (!read_at(memory, at, &def, sizeof(def)))
			return false;
		if ((def.vd_ndx & ~VERSION_HIDDEN) == wanted)
			return read_at(memory, at + def.vd_aux, &aux, sizeof(aux)) &&
			       strcmp(vg_dynamic_string(dynamic, aux.vda_name), version) == 0;
		if (!def.vd_next)
			return false;
		at += def.vd_next;
	}
	return false;
}

/* The same for a version that the module needs of another one. */
static bool is_needed_version(const struct vg_memory *memory, const struct vg_dynamic *dynamic,
			      uint16_t wanted, const char *version)
{
	uint64_t at = dynamic->verneed;

	for (uint64_t i = 0; at && i < dynamic->verneed_count && i < 65536; i++) {
		Elf64_Verneed need;

		if (!read_at(memory, at, &need, sizeof(need)))
			return false;
		uint64_t aux_at = at + need.vn_aux;

		for (unsigned j = 0; j < need.vn_cnt; j++) {
			Elf64_Vernaux aux;

			if (!read_at(memory, aux_at, &aux, sizeof(aux)))
				return false;
			if ((aux.vna_other & ~VERSION_HIDDEN) == wanted)
				return strcmp(vg_dynamic_string(dynamic, aux.vna_name), version) ==
				       0;
			aux_at += aux.vna_next;
		}
		if (!need.vn_next)
			return false;
		at += need.vn_next;
	}
	return false;
}

static bool has_version(const struct vg_memory *memory, const struct vg_dynamic *dynamic,
			size_t index, const char *version)
{
	bool defined = dynamic->symbols[index].st_shndx != SHN_UNDEF;
	uint16_t number;

	if (!dynamic->versions)
		return true;
	number = dynamic->versions[index];
	if (!*version)
		return !defined || !(number & VERSION_HIDDEN);
	number &= (uint16_t)~VERSION_HIDDEN;
	return defined ? is_defined_version(memory, dynamic, number, version)
		       : is_needed_version(memory, dynamic, number, version);
}

bool vg_dynamic_is_symbol(const struct vg_memory *memory, const struct vg_dynamic *dynamic,
			  size_t index, const char *name, const char *version)
{
	return index < dynamic->symbol_count &&
	       strcmp(vg_dynamic_string(dynamic, dynamic->symbols[index].st_name), name) == 0 &&
	       has_version(memory, dynamic, index, version);
}

static bool is_exported(const Elf64_Sym *symbol)
{
	unsigned binding = ELF64_ST_BIND(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF &&
	       (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE);
}

const Elf64_Sym *vg_dynamic_find(const struct vg_memory *memory, const struct vg_dynamic *dynamic,
				 const char *name, const char *version)
{
	for (size_t i = 0; i < dynamic->symbol_count; i++)
		if (is_exported(&dynamic->symbols[i]) &&
		    vg_dynamic_is_symbol(memory, dynamic, i, name, version))
			return &dynamic->symbols[i];
	return NULL;
}
