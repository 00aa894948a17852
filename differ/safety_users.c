/* SPDX-License-Identifier: MIT */
/*
 * Who in the target uses the entry of a function, other than by calling it from code that the patch
 * replaces:
 *
 *   1. other modules, if the target exports it;
 *   2. code: every field that means the entry. Four bytes may look like such a field by chance, so
 *      the instruction that holds them is decoded; what does not decode counts as a user;
 *   3. data: words that the dynamic linker relocates to the entry, in a program at a fixed address
 *      every word that equals it, and entries of relative tables: 32-bit words that hold the
 *      distance from where they stand (`.long f - .`), or, in the recompiled units, from their
 *      table (`.long f - table`).
 *
 * A pointer that replaced code has formed may be kept somewhere, so there only branches are no use.
 * Code of the recompiled units that comes out the same calls by the new declaration already.
 */
#include <string.h>

#include "common/error.h"
#include "differ/safety.h"

struct search {
	struct vg_patch_build *build;
	const struct vg_match *own;
	VG_LIST(const struct vg_match *) recompiled; /* callers that come out the same */
	const char *table; /* a relative one of these units that has the function, or NULL */
};

static bool is_within(const struct vg_match *match, uint64_t address)
{
	return match && match->found && address - match->address < match->bytes;
}

static bool is_in_part(const struct vg_item *function, uint64_t address)
{
	const struct vg_object *object = function->object;

	for (size_t i = 0; i < object->item_count; i++)
		if (is_within(object->items[i]->match, address) &&
		    vg_part_belongs_to(object->items[i], function))
			return true;
	return false;
}

/* In code that the patch replaces, pieces elsewhere (.cold) included, or in the function itself? */
static bool is_replaced(const struct search *search, uint64_t address)
{
	if (is_within(search->own, address))
		return true;
	for (size_t i = 0; i < search->recompiled.count; i++)
		if (is_within(search->recompiled.at[i], address))
			return true;
	for (size_t i = 0; i < search->build->changes.count; i++) {
		const struct vg_change *change = search->build->changes.at[i];

		if (is_within(change->match, address) ||
		    (change->pre && is_in_part(change->pre, address)))
			return true;
	}
	return false;
}

/* The function that holds the address by .eh_frame, or what lies between two of them. */
static struct vg_span span_around(const struct vg_target *target, const GElf_Phdr *load,
				  uint64_t address)
{
	struct vg_span span = {.start = load->p_vaddr, .end = load->p_vaddr + load->p_filesz};

	for (size_t i = 0; i < target->functions.count; i++) {
		const struct vg_span *function = &target->functions.at[i];

		if (function->start <= address && address < function->end)
			return *function;
		if (function->end <= address && function->end > span.start)
			span.start = function->end;
		if (function->start > address) {
			if (function->start < span.end)
				span.end = function->start;
			break;
		}
	}
	return span;
}

/* Decodes from where code is known to begin; false if that does not lead to the address. */
static bool decode_around(const struct search *search, const GElf_Phdr *load, uint64_t address,
			  struct vg_instruction *instruction)
{
	const struct vg_target *target = search->build->target;
	struct vg_span span = span_around(target, load, address);

	for (uint64_t at = span.start; at <= address; at += instruction->size) {
		const uint8_t *bytes = vg_target_bytes(target, at, span.end - at);

		if (!bytes ||
		    !vg_decode(search->build->decoder, bytes, span.end - at, at, instruction))
			return false;
		if (address < at + instruction->size)
			return true;
	}
	return false;
}

static bool is_branch_field(const struct vg_instruction *instruction, uint64_t field)
{
	return instruction->branch_bytes == 4 &&
	       field == instruction->address + instruction->branch_offset;
}

static bool is_displacement_field(const struct vg_instruction *instruction, uint64_t field)
{
	return instruction->is_rip_relative &&
	       field == instruction->address + instruction->displacement_offset;
}

static bool is_relative_use(const struct search *search, const GElf_Phdr *load, uint64_t field)
{
	struct vg_instruction instruction;

	if (!decode_around(search, load, field, &instruction))
		return !is_replaced(search, field);
	if (is_branch_field(&instruction, field))
		return !is_replaced(search, field);
	return is_displacement_field(&instruction, field);
}

/* An address as it stands: in a program at a fixed address. */
static bool is_absolute_use(const struct search *search, const GElf_Phdr *load, uint64_t field)
{
	struct vg_instruction instruction;

	return !decode_around(search, load, field, &instruction) || !instruction.is_padding;
}

static bool is_use_at(const struct search *search, const GElf_Phdr *load, const uint8_t *bytes,
		      uint64_t field)
{
	uint64_t entry = search->own->address;
	int32_t word;

	memcpy(&word, bytes, 4);
	if (field + 4 + (uint64_t)(int64_t)word == entry)
		return is_relative_use(search, load, field);
	return search->build->target->is_fixed && (uint32_t)word == entry &&
	       is_absolute_use(search, load, field);
}

/* Branches of two bytes: only from next to the entry, and too many bytes look like one. */
static uint64_t find_short_branch(const struct search *search, const GElf_Phdr *load)
{
	uint64_t entry = search->own->address, start = entry - 126, end = entry + 128;

	if (start < load->p_vaddr || start > entry)
		start = load->p_vaddr;
	for (uint64_t at = start; at < end && at - load->p_vaddr < load->p_filesz; at++) {
		struct vg_instruction instruction;

		if (decode_around(search, load, at, &instruction) && instruction.address == at &&
		    instruction.branch_bytes == 1 && instruction.target == entry &&
		    !is_replaced(search, at))
			return at;
	}
	return 0;
}

static uint64_t find_in_code(const struct search *search)
{
	const struct vg_target *target = search->build->target;

	for (size_t i = 0; i < target->load_count; i++) {
		const GElf_Phdr *load = &target->loads[i];
		const uint8_t *bytes = vg_target_bytes(target, load->p_vaddr, load->p_filesz);
		uint64_t found = 0;

		if (!(load->p_flags & PF_X) || !bytes)
			continue;
		for (uint64_t at = 0; at + 4 <= load->p_filesz; at++)
			if (is_use_at(search, load, bytes + at, load->p_vaddr + at))
				return load->p_vaddr + at;
		if (search->own->address - load->p_vaddr < load->p_filesz)
			found = find_short_branch(search, load);
		if (found)
			return found;
	}
	return 0;
}

static uint64_t find_word(const struct search *search, const GElf_Phdr *load)
{
	const uint8_t *bytes =
		vg_target_bytes(search->build->target, load->p_vaddr, load->p_filesz);

	for (uint64_t at = 0; bytes && at + 8 <= load->p_filesz; at++)
		if (!memcmp(bytes + at, &search->own->address, 8))
			return load->p_vaddr + at;
	return 0;
}

/* Records of unwinding hold the distance to each function; nobody calls one through them. */
static bool is_unwind_record(const struct vg_target *target, uint64_t address)
{
	GElf_Shdr shdr;

	return vg_elf_section(target->elf, ".eh_frame", &shdr) &&
	       address - shdr.sh_addr < shdr.sh_size;
}

static bool is_in_function(const struct vg_target *target, uint64_t address)
{
	for (size_t i = 0; i < target->functions.count; i++)
		if (address - target->functions.at[i].start <
		    target->functions.at[i].end - target->functions.at[i].start)
			return true;
	return false;
}

/* In code without unwind information, what is not aligned are bytes of an instruction. */
static bool may_be_entry(const struct vg_target *target, const GElf_Phdr *load, uint64_t address)
{
	if (load->p_flags & PF_X && address % 4)
		return false;
	return !is_unwind_record(target, address) && !is_in_function(target, address);
}

static uint64_t find_distance(const struct search *search, const GElf_Phdr *load)
{
	const struct vg_target *target = search->build->target;
	const uint8_t *bytes = vg_target_bytes(target, load->p_vaddr, load->p_filesz);

	for (uint64_t at = 0; bytes && at + 4 <= load->p_filesz; at++) {
		uint64_t address = load->p_vaddr + at;
		int32_t word;

		memcpy(&word, bytes + at, 4);
		if (address + (uint64_t)(int64_t)word == search->own->address &&
		    may_be_entry(target, load, address))
			return address;
	}
	return 0;
}

static uint64_t find_in_data(const struct search *search)
{
	const struct vg_target *target = search->build->target;

	for (size_t i = 0; i < target->slots.count; i++)
		if (target->slots.at[i].type == R_X86_64_RELATIVE &&
		    (uint64_t)target->slots.at[i].addend == search->own->address)
			return target->slots.at[i].address;
	for (size_t i = 0; target->is_fixed && i < target->load_count; i++) {
		uint64_t found =
			target->loads[i].p_flags & PF_X ? 0 : find_word(search, &target->loads[i]);

		if (found)
			return found;
	}
	for (size_t i = 0; i < target->load_count; i++) {
		uint64_t found = find_distance(search, &target->loads[i]);

		if (found)
			return found;
	}
	return 0;
}

static bool is_exported(const struct vg_target *target, uint64_t entry)
{
	for (size_t i = 0; i < target->dynamic.count; i++) {
		const GElf_Sym *symbol = &target->dynamic.symbols[i].sym;

		if (symbol->st_shndx != SHN_UNDEF && symbol->st_value == entry)
			return true;
	}
	return false;
}

static bool is_unchanged(const struct vg_patch_build *build, const struct vg_item *user)
{
	if (!vg_item_is_function(user) || !user->twin)
		return false;
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->pre == user)
			return false;
	return !vg_item_is_part(user) || user->twin->comparison == VG_SAME;
}

/* By the entry's distance from the table's start, which the target's bytes do not tell. */
static bool is_in_table(const struct vg_item *table, const struct vg_item *callee)
{
	size_t count;
	const struct vg_object_reloc *relocs = vg_item_relocs(table, &count);
	struct vg_item *to;
	int64_t offset, distance;

	for (size_t i = 0; table->kind == VG_ITEM_VARIABLE && i < count; i++)
		if (vg_reloc_is_pc_relative(relocs[i].type) &&
		    vg_entry_target(&relocs[i], (int64_t)(relocs[i].offset - table->offset), &to,
				    &offset, &distance) &&
		    to == callee && !offset)
			return true;
	return false;
}

static struct vg_error *find_recompiled_in(struct search *search, struct vg_pair *pair,
					   const struct vg_item *callee)
{
	for (size_t i = 0; i < callee->user_count; i++) {
		struct vg_item *user = callee->users[i];
		struct vg_match *match;

		if (is_in_table(user, callee))
			search->table = user->name;
		if (!is_unchanged(search->build, user))
			continue;
		VG_TRY(vg_match_function(&search->build->matcher, user, pair->plain, &match));
		if (match->found && !vg_list_push(search->build->arena, &search->recompiled, match))
			return vg_error_no_memory();
	}
	return NULL;
}

static struct vg_error *find_recompiled(struct search *search, const struct vg_item *pre)
{
	for (size_t i = 0; i < search->build->pair_count; i++) {
		struct vg_pair *pair = &search->build->pairs[i];
		const struct vg_item *here = pre;

		if (pair->pre != pre->object && vg_item_is_local(pre))
			continue;
		if (pair->pre != pre->object)
			here = vg_object_item_named(pair->pre, pre->name);
		if (here)
			VG_TRY(find_recompiled_in(search, pair, here));
	}
	return NULL;
}

static const char *text_of(const struct search *search, uint64_t user)
{
	const char *name = vg_target_symbol_at(search->build->target, user);

	return vg_arena_printf(search->build->arena, "%s at 0x%llx", name ?: "something",
			       (unsigned long long)user)
		       ?: "something";
}

struct vg_error *vg_safety_find_user(struct vg_patch_build *build, const struct vg_item *pre,
				     const struct vg_match *match, const char **user)
{
	struct search search = {.build = build, .own = match};
	uint64_t address;

	*user = NULL;
	if (is_exported(build->target, match->address)) {
		*user = "another module that it is exported to";
		return NULL;
	}
	VG_TRY(find_recompiled(&search, pre));
	*user = search.table;
	if (*user)
		return NULL;
	address = find_in_code(&search) ?: find_in_data(&search);
	if (address)
		*user = text_of(&search, address);
	return NULL;
}
