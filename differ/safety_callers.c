/* SPDX-License-Identifier: MIT */
/*
 * signature and removed: a function that takes other parameters, or is gone, needs other callers.
 * Callers in the units of the diff are compared and replaced with it; here the rest of the target
 * is searched for code and data that refer to the old entry.
 */
#include <string.h>

#include "common/error.h"
#include "differ/safety.h"

static bool is_within(const struct vg_match *match, uint64_t address)
{
	return address - match->address < match->bytes;
}

/* In code that the patch replaces, or in the function itself? */
static bool is_replaced(const struct vg_patch_build *build, const struct vg_match *own,
			uint64_t address)
{
	if (is_within(own, address))
		return true;
	for (size_t i = 0; i < build->changes.count; i++) {
		if (is_within(build->changes.at[i]->match, address))
			return true;
	}
	return false;
}

/* Every 4 bytes that, counted from behind them, mean the entry: a call, jump or lea. */
static uint64_t find_code_reference(const struct vg_patch_build *build, const struct vg_match *own)
{
	const struct vg_target *target = build->target;

	for (size_t i = 0; i < target->load_count; i++) {
		const GElf_Phdr *load = &target->loads[i];
		const uint8_t *bytes = vg_target_bytes(target, load->p_vaddr, load->p_filesz);

		if (!(load->p_flags & PF_X) || !bytes)
			continue;
		for (uint64_t at = 0; at + 4 <= load->p_filesz; at++) {
			uint64_t address = load->p_vaddr + at;
			int32_t distance;

			memcpy(&distance, bytes + at, 4);
			if (address + 4 + (uint64_t)(int64_t)distance == own->address &&
			    !is_replaced(build, own, address))
				return address;
		}
	}
	return 0;
}

static uint64_t find_data_reference(const struct vg_target *target, uint64_t entry)
{
	for (size_t i = 0; i < target->slots.count; i++)
		if (target->slots.at[i].type == R_X86_64_RELATIVE &&
		    (uint64_t)target->slots.at[i].addend == entry)
			return target->slots.at[i].address;
	return 0;
}

static uint64_t find_user(const struct vg_patch_build *build, const struct vg_match *own)
{
	return find_code_reference(build, own) ?: find_data_reference(build->target, own->address);
}

static const struct vg_function_type *type_of(const struct vg_type_table *table,
					      const struct vg_item *item)
{
	return vg_type_table_function(table, item->base);
}

static struct vg_error *check_change(struct vg_patch_build *build, const struct vg_change *change)
{
	const struct vg_pair *pair = change->pair;
	const struct vg_function_type *pre = type_of(pair->pre_types, change->pre);
	const struct vg_function_type *post = type_of(pair->post_types, change->post);
	uint64_t user;
	const char *name;

	if (!pre || !post || !strcmp(pre->signature, post->signature))
		return NULL;
	user = find_user(build, change->match);
	if (!user)
		return NULL;
	name = vg_target_symbol_at(build->target, user);
	return vg_refuse(build, VG_RULE_SIGNATURE, change->post->base,
			 vg_place_at(build, pair, post->file, post->line),
			 "%s becomes \"%s\" from \"%s\", but %s at 0x%llx, which stays as it "
			 "is, uses it; add a function with the new signature instead",
			 change->post->base, post->signature, pre->signature, name ?: "something",
			 (unsigned long long)user);
}

static bool is_defined_after(const struct vg_patch_build *build, const struct vg_item *pre)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		const struct vg_item *item = vg_object_item_named(build->pairs[i].post, pre->name);

		if (item && item->section)
			return true;
	}
	return false;
}

/* removed: a global function that is gone from the source while code outside the patch calls it. */
static struct vg_error *check_removed(struct vg_patch_build *build, struct vg_pair *pair,
				      struct vg_item *pre)
{
	struct vg_match *match;
	const char *name;
	uint64_t user;

	if (!vg_item_is_function(pre) || vg_item_is_local(pre) || is_defined_after(build, pre))
		return NULL;
	VG_TRY(vg_match_function(&build->matcher, pre, pair->plain, &match));
	user = match->found ? find_user(build, match) : 0;
	if (!user)
		return NULL;
	name = vg_target_symbol_at(build->target, user);
	return vg_refuse(build, VG_RULE_REMOVED, pre->base, vg_place_of(build, pair, pre),
			 "the function %s is removed, but %s at 0x%llx, which stays as it is, "
			 "uses it; keep the function, or --allow removed if the old one may stay",
			 pre->base, name ?: "something", (unsigned long long)user);
}

static struct vg_error *check_all_removed(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		struct vg_pair *pair = &build->pairs[i];

		for (size_t k = 0; k < pair->pre->item_count; k++)
			VG_TRY(check_removed(build, pair, pair->pre->items[k]));
	}
	return NULL;
}

struct vg_error *vg_safety_check_callers(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->changes.count; i++)
		VG_TRY(check_change(build, build->changes.at[i]));
	return check_all_removed(build);
}
