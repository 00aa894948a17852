/* SPDX-License-Identifier: MIT */
#include "differ/target_binary.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"

static bool is_named(const struct vg_symbol *symbol)
{
	uint8_t type = GELF_ST_TYPE(symbol->sym.st_info);

	return *symbol->name && type != STT_FILE && type != STT_SECTION;
}

/* Linkers write `stdout@GLIBC_2.2.5` into .symtab; the version is no part of the name. */
static size_t name_length(const char *name)
{
	return strcspn(name, "@");
}

static int compare_names(const char *a, const char *b)
{
	size_t left = name_length(a), right = name_length(b);
	int order = strncmp(a, b, left < right ? left : right);

	return order ? order : (left > right) - (left < right);
}

static int by_name(const void *left, const void *right)
{
	const struct vg_symbol *a = *(const struct vg_symbol *const *)left;
	const struct vg_symbol *b = *(const struct vg_symbol *const *)right;
	int order = compare_names(a->name, b->name);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static struct vg_error *index_names(struct vg_target *target)
{
	size_t room = target->symbols.count + target->dynamic.count;
	const struct vg_symbols *tables[] = {&target->symbols, &target->dynamic};

	target->by_name = vg_arena_alloc(target->arena, room + 1, sizeof(*target->by_name));
	if (!target->by_name)
		return vg_error_no_memory();
	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0; i < tables[t]->count; i++)
			if (is_named(&tables[t]->symbols[i]))
				target->by_name[target->by_name_count++] = &tables[t]->symbols[i];
	qsort(target->by_name, target->by_name_count, sizeof(*target->by_name), by_name);
	return NULL;
}

static struct vg_error *read_loads(struct vg_target *target)
{
	size_t count = 0;
	GElf_Phdr phdr;

	target->file = (const uint8_t *)elf_rawfile(target->elf->elf, &target->file_bytes);
	elf_getphdrnum(target->elf->elf, &count);
	target->loads = vg_arena_alloc(target->arena, count + 1, sizeof(*target->loads));
	if (!target->loads)
		return vg_error_no_memory();
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(target->elf->elf, (int)i, &phdr))
			continue;
		if (phdr.p_type == PT_TLS) {
			target->tls_bytes = phdr.p_memsz;
			target->tls_align = phdr.p_align ?: 1;
		}
		if (phdr.p_type == PT_INTERP)
			target->is_executable = true;
		if (phdr.p_type == PT_LOAD)
			target->loads[target->load_count++] = phdr;
	}
	if (!target->file || !target->load_count)
		return vg_error_new(VG_REFUSED,
				    "%s has no loadable segments; name the linked program or "
				    "shared library as the target",
				    target->elf->path);
	return NULL;
}

static struct vg_error *check_kind(struct vg_target *target, const char *path)
{
	if (target->elf->header.e_type != ET_EXEC && target->elf->header.e_type != ET_DYN)
		return vg_error_new(VG_REFUSED,
				    "%s is not a linked program or shared library; name one as "
				    "the target",
				    path);
	if (!target->elf->build_id_bytes)
		return vg_error_new(VG_REFUSED,
				    "%s has no build-id, so that a patch could not name its "
				    "target; link it with --build-id",
				    path);
	return NULL;
}

static bool is_same_build_id(const struct vg_elf *a, const struct vg_elf *b)
{
	return a->build_id_bytes == b->build_id_bytes &&
	       !memcmp(a->build_id, b->build_id, a->build_id_bytes);
}

/* A twin that was linked again has another build-id, but the same code at the same address. */
static bool has_same_code(const struct vg_elf *a, const struct vg_elf *b)
{
	GElf_Shdr left, right;
	Elf_Scn *mine = vg_elf_section(a, ".text", &left);
	Elf_Scn *other = vg_elf_section(b, ".text", &right);

	if (!mine || !other || left.sh_addr != right.sh_addr || left.sh_size != right.sh_size ||
	    left.sh_type != SHT_PROGBITS || right.sh_type != SHT_PROGBITS)
		return false;

	Elf_Data *x = elf_rawdata(mine, NULL), *y = elf_rawdata(other, NULL);

	return x && y && x->d_buf && y->d_buf && x->d_size == y->d_size &&
	       !memcmp(x->d_buf, y->d_buf, x->d_size);
}

static struct vg_error *open_symbols(struct vg_target *target, const char *symbols)
{
	if (!symbols)
		return vg_elf_symbols(target->elf, SHT_SYMTAB, &target->symbols);
	VG_TRY(vg_elf_open(symbols, &target->symbol_file));
	if (!is_same_build_id(target->elf, target->symbol_file) &&
	    !has_same_code(target->elf, target->symbol_file))
		return vg_error_refuse(VG_RULE_MISMATCH,
				       "the symbols in %s are not those of %s: neither build-id "
				       "nor code agree; name the debug file of this very build",
				       symbols, target->elf->path);
	VG_TRY(vg_elf_symbols(target->symbol_file, SHT_SYMTAB, &target->symbols));
	if (!target->symbols.count)
		return vg_error_new(VG_REFUSED, "%s has no symbol table", symbols);
	return NULL;
}

static void choose_name(struct vg_target *target, const char *path)
{
	if (!target->name)
		target->name = vg_arena_strdup(target->arena, basename(path));
	target->is_fixed = target->elf->header.e_type == ET_EXEC;
	if (target->is_fixed)
		target->is_executable = true;
}

struct vg_error *vg_target_open(struct vg_arena *arena, const char *path, const char *symbols,
				struct vg_target **target)
{
	struct vg_target *made = vg_arena_alloc(arena, 1, sizeof(*made));

	*target = made;
	if (!made)
		return vg_error_no_memory();
	made->arena = arena;
	VG_TRY(vg_elf_open(path, &made->elf));
	VG_TRY(check_kind(made, path));
	VG_TRY(read_loads(made));
	VG_TRY(open_symbols(made, symbols));
	VG_TRY(vg_elf_symbols(made->elf, SHT_DYNSYM, &made->dynamic));
	VG_TRY(index_names(made));
	VG_TRY(vg_target_read_dynamic(made));
	choose_name(made, path);
	VG_TRY(vg_target_read_slots(made));
	return vg_target_read_functions(made);
}

void vg_target_close(struct vg_target *target)
{
	if (!target)
		return;
	vg_symbols_clear(&target->symbols);
	vg_symbols_clear(&target->dynamic);
	vg_elf_close(target->elf);
	vg_elf_close(target->symbol_file);
	target->elf = target->symbol_file = NULL;
}

static const GElf_Phdr *load_of(const struct vg_target *target, uint64_t address)
{
	for (size_t i = 0; i < target->load_count; i++)
		if (address - target->loads[i].p_vaddr < target->loads[i].p_memsz)
			return &target->loads[i];
	return NULL;
}

const uint8_t *vg_target_bytes(const struct vg_target *target, uint64_t address, uint64_t count)
{
	const GElf_Phdr *load = load_of(target, address);

	if (!load)
		return NULL;

	uint64_t inside = address - load->p_vaddr;

	if (inside > load->p_filesz || count > load->p_filesz - inside ||
	    load->p_offset > target->file_bytes ||
	    inside + count > target->file_bytes - load->p_offset)
		return NULL;
	return target->file + load->p_offset + inside;
}

bool vg_target_is_code(const struct vg_target *target, uint64_t address)
{
	const GElf_Phdr *load = load_of(target, address);

	return load && (load->p_flags & PF_X);
}

bool vg_target_has(const struct vg_target *target, uint64_t address)
{
	return load_of(target, address);
}

const struct vg_symbol **vg_target_named(const struct vg_target *target, const char *name,
					 size_t *count)
{
	size_t low = 0, high = target->by_name_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(target->by_name[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (*count = 0; low + *count < target->by_name_count &&
			 !compare_names(target->by_name[low + *count]->name, name);)
		++*count;
	return target->by_name + low;
}

static bool is_of_table(const struct vg_symbols *table, const struct vg_symbol *symbol)
{
	return table->count && symbol >= table->symbols && symbol < table->symbols + table->count;
}

/* Among several versions of a symbol the default one is meant (LSB 5.0, ch. 10.7.6). */
const struct vg_symbol *vg_target_dynamic(const struct vg_target *target, const char *name)
{
	size_t count;
	const struct vg_symbol **named = vg_target_named(target, name, &count), *found = NULL;

	for (size_t i = 0; i < count; i++)
		if (is_of_table(&target->dynamic, named[i]) &&
		    (!found || (found->version_hidden && !named[i]->version_hidden)))
			found = named[i];
	return found;
}

const char *vg_target_symbol_at(const struct vg_target *target, uint64_t address)
{
	for (size_t i = 0; i < target->by_name_count; i++) {
		const GElf_Sym *sym = &target->by_name[i]->sym;

		if (sym->st_shndx != SHN_UNDEF && GELF_ST_TYPE(sym->st_info) != STT_TLS &&
		    (address == sym->st_value || address - sym->st_value < sym->st_size))
			return target->by_name[i]->name;
	}
	return NULL;
}

int64_t vg_target_tpoff(const struct vg_target *target, uint64_t offset)
{
	uint64_t align = target->tls_align ?: 1;
	uint64_t block = (target->tls_bytes + align - 1) / align * align;

	return (int64_t)(offset - block);
}
