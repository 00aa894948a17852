/* SPDX-License-Identifier: MIT */
/*
 * The target's dynamic section, the words that the dynamic linker fills, and the PLT entries that
 * jump through them. PLT layouts differ between linkers and with CET; what all have in common is
 * one `jmp *slot(%rip)` in each entry, so that is what is looked for.
 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/target_binary.h"

static Elf_Scn *section_of_type(struct vg_target *target, uint32_t type, GElf_Shdr *shdr)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(target->elf->elf, scn)))
		if (gelf_getshdr(scn, shdr) && shdr->sh_type == type)
			return scn;
	return NULL;
}

static bool take_dynamic(struct vg_target *target, const GElf_Dyn *dyn, size_t strings)
{
	const char *string = NULL;

	if (dyn->d_tag == DT_NEEDED || dyn->d_tag == DT_SONAME || dyn->d_tag == DT_RUNPATH ||
	    dyn->d_tag == DT_RPATH)
		string = elf_strptr(target->elf->elf, strings, dyn->d_un.d_val);
	switch (dyn->d_tag) {
	case DT_NEEDED:
		return !string || vg_list_push(target->arena, &target->needed, string);
	case DT_SONAME:
		target->name = string;
		break;
	case DT_RUNPATH:
		target->runpath = string;
		break;
	case DT_RPATH:
		if (!target->runpath)
			target->runpath = string;
		break;
	case DT_BIND_NOW:
		target->is_bound_now = true;
		break;
	case DT_FLAGS:
		target->is_bound_now |= !!(dyn->d_un.d_val & DF_BIND_NOW);
		break;
	case DT_FLAGS_1:
		target->is_bound_now |= !!(dyn->d_un.d_val & DF_1_NOW);
		target->is_executable |= !!(dyn->d_un.d_val & DF_1_PIE);
		break;
	default:
		break;
	}
	return true;
}

struct vg_error *vg_target_read_dynamic(struct vg_target *target)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = section_of_type(target, SHT_DYNAMIC, &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Dyn dyn;

	target->is_static = !data;
	for (int i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++)
		if (!take_dynamic(target, &dyn, shdr.sh_link))
			return vg_error_no_memory();
	return NULL;
}

static struct vg_error *add_slots(struct vg_target *target, Elf_Data *data)
{
	GElf_Rela rela;

	for (int i = 0; gelf_getrela(data, i, &rela); i++) {
		size_t symbol = GELF_R_SYM(rela.r_info);
		struct vg_slot slot = {
			.address = rela.r_offset,
			.type = (uint32_t)GELF_R_TYPE(rela.r_info),
			.addend = rela.r_addend,
		};

		if (symbol && symbol < target->dynamic.count)
			slot.symbol = &target->dynamic.symbols[symbol];
		if (!vg_list_push(target->arena, &target->slots, slot))
			return vg_error_no_memory();
	}
	return NULL;
}

static int by_address(const void *left, const void *right)
{
	/* Both records start with the address. */
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static const void *find_address(const void *records, size_t count, size_t size, uint64_t address)
{
	return count ? bsearch(&address, records, count, size, by_address) : NULL;
}

const struct vg_slot *vg_target_slot(const struct vg_target *target, uint64_t address)
{
	return find_address(target->slots.at, target->slots.count, sizeof(*target->slots.at),
			    address);
}

const struct vg_plt_entry *vg_target_plt(const struct vg_target *target, uint64_t address)
{
	return find_address(target->plt.at, target->plt.count, sizeof(*target->plt.at), address);
}

/* Steps back over what may stand in front of the jump: bnd (f2) and endbr64. */
static size_t entry_start(const uint8_t *bytes, size_t jump)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};

	if (jump >= 1 && bytes[jump - 1] == 0xf2)
		jump--;
	if (jump >= 4 && !memcmp(bytes + jump - 4, endbr64, 4))
		jump -= 4;
	return jump;
}

static struct vg_error *scan_plt(struct vg_target *target, uint64_t address, const uint8_t *bytes,
				 size_t count)
{
	for (size_t i = 0; i + 6 <= count; i++) {
		int32_t distance;

		if (bytes[i] != 0xff || bytes[i + 1] != 0x25)
			continue;
		memcpy(&distance, bytes + i + 2, 4);

		struct vg_plt_entry entry = {
			.address = address + entry_start(bytes, i),
			.slot = vg_target_slot(target,
					       address + i + 6 + (uint64_t)(int64_t)distance),
		};

		if (entry.slot && !vg_list_push(target->arena, &target->plt, entry))
			return vg_error_no_memory();
		if (entry.slot)
			i += 5;
	}
	return NULL;
}

/* .plt, .plt.sec, .plt.got, .iplt */
static bool is_plt(const char *name)
{
	return !strncmp(name, ".plt", 4) || !strncmp(name, ".iplt", 5);
}

static struct vg_error *read_plt(struct vg_target *target)
{
	size_t names;
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	if (elf_getshdrstrndx(target->elf->elf, &names))
		return NULL;
	while ((scn = elf_nextscn(target->elf->elf, scn))) {
		const char *name = gelf_getshdr(scn, &shdr)
					   ? elf_strptr(target->elf->elf, names, shdr.sh_name)
					   : NULL;
		const uint8_t *bytes;

		if (!name || !is_plt(name) || !(shdr.sh_flags & SHF_EXECINSTR))
			continue;
		bytes = vg_target_bytes(target, shdr.sh_addr, shdr.sh_size);
		if (bytes)
			VG_TRY(scan_plt(target, shdr.sh_addr, bytes, shdr.sh_size));
	}
	if (target->plt.count)
		qsort(target->plt.at, target->plt.count, sizeof(*target->plt.at), by_address);
	return NULL;
}

/* The place holds its addend: what it would point to in a module that is loaded at 0. */
static struct vg_error *add_packed_slot(struct vg_target *target, uint64_t address)
{
	struct vg_slot slot = {.address = address, .type = R_X86_64_RELATIVE};
	const uint8_t *word = vg_target_bytes(target, address, 8);

	if (!word)
		return NULL;
	memcpy(&slot.addend, word, 8);
	return vg_list_push(target->arena, &target->slots, slot) ? NULL : vg_error_no_memory();
}

/*
 * Relative relocations without their addends (gABI, "Relative relocation table"): an even word is
 * the address of one; an odd word has a bit for each of the 63 words that follow.
 */
static struct vg_error *add_packed_slots(struct vg_target *target, const GElf_Shdr *shdr)
{
	const uint8_t *table = vg_target_bytes(target, shdr->sh_addr, shdr->sh_size);
	uint64_t next = 0, entry;

	for (uint64_t at = 0; table && at + 8 <= shdr->sh_size; at += 8) {
		memcpy(&entry, table + at, 8);
		if (!(entry & 1)) {
			VG_TRY(add_packed_slot(target, entry));
			next = entry + 8;
			continue;
		}
		for (unsigned i = 0; i < 63; i++)
			if (entry >> (i + 1) & 1)
				VG_TRY(add_packed_slot(target, next + UINT64_C(8) * i));
		next += UINT64_C(8) * 63;
	}
	return NULL;
}

static struct vg_error *add_section(struct vg_target *target, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	Elf_Data *data;

	if (!(shdr->sh_flags & SHF_ALLOC))
		return NULL;
	if (shdr->sh_type == SHT_RELR)
		return add_packed_slots(target, shdr);
	data = shdr->sh_type == SHT_RELA ? elf_getdata(scn, NULL) : NULL;
	return data ? add_slots(target, data) : NULL;
}

struct vg_error *vg_target_read_slots(struct vg_target *target)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(target->elf->elf, scn)))
		if (gelf_getshdr(scn, &shdr))
			VG_TRY(add_section(target, scn, &shdr));
	if (target->slots.count)
		qsort(target->slots.at, target->slots.count, sizeof(*target->slots.at), by_address);
	return read_plt(target);
}

static bool is_slot_of(const struct vg_slot *slot, const char *name)
{
	return slot->symbol && !strcmp(slot->symbol->name, name);
}

/* With lazy binding a slot of the PLT holds the way to the linker until the first call. */
static bool holds_address(const struct vg_target *target, const struct vg_slot *slot)
{
	return slot->type == R_X86_64_GLOB_DAT ||
	       (slot->type == R_X86_64_JUMP_SLOT && target->is_bound_now);
}

const struct vg_slot *vg_target_slot_for(const struct vg_target *target, const char *name)
{
	for (size_t i = 0; i < target->slots.count; i++)
		if (is_slot_of(&target->slots.at[i], name) &&
		    holds_address(target, &target->slots.at[i]))
			return &target->slots.at[i];
	return NULL;
}

const struct vg_plt_entry *vg_target_plt_for(const struct vg_target *target, const char *name)
{
	for (size_t i = 0; i < target->plt.count; i++)
		if (is_slot_of(target->plt.at[i].slot, name))
			return &target->plt.at[i];
	return NULL;
}

const struct vg_plt_entry *vg_target_plt_for_resolver(const struct vg_target *target,
						      uint64_t resolver)
{
	for (size_t i = 0; i < target->plt.count; i++)
		if (target->plt.at[i].slot->type == R_X86_64_IRELATIVE &&
		    (uint64_t)target->plt.at[i].slot->addend == resolver)
			return &target->plt.at[i];
	return NULL;
}

static bool is_tls_pair(const struct vg_target *target, const struct vg_slot *slot,
			const char *name, uint64_t offset)
{
	const uint8_t *word = vg_target_bytes(target, slot->address + 8, 8);

	if (slot->type != R_X86_64_DTPMOD64)
		return false;
	if (name)
		return is_slot_of(slot, name);
	return !slot->symbol && word && !vg_target_slot(target, slot->address + 8) &&
	       !memcmp(word, &offset, 8);
}

uint64_t vg_target_tls_pair(const struct vg_target *target, const char *name, uint64_t offset)
{
	for (size_t i = 0; i < target->slots.count; i++)
		if (is_tls_pair(target, &target->slots.at[i], name, offset))
			return target->slots.at[i].address;
	return 0;
}

uint64_t vg_target_tls_descriptor(const struct vg_target *target, const char *name, int64_t offset)
{
	for (size_t i = 0; i < target->slots.count; i++) {
		const struct vg_slot *slot = &target->slots.at[i];

		if (slot->type == R_X86_64_TLSDESC &&
		    (name ? is_slot_of(slot, name) && !slot->addend
			  : !slot->symbol && slot->addend == offset))
			return slot->address;
	}
	return 0;
}
