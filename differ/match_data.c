/* SPDX-License-Identifier: MIT */
/*
 * Does a variable of the object lie at an address of the target? Its initial contents are in the
 * target's file, and what the dynamic linker writes into the pointers among them is said by the
 * target's relocations (System V ABI x86-64, 4.4).
 */
#include <string.h>

#include "differ/match.h"
#include "differ/match_check.h"

static bool differs(struct vg_matcher *matcher, const struct vg_item *item, const char **why)
{
	*why = vg_arena_printf(matcher->arena, "the contents of %s are others in the binary",
			       vg_item_text(item));
	return false;
}

/* What a pointer in the target's data will hold. False: it is another module's to say. */
static bool read_pointer(const struct vg_target *target, uint64_t address, struct vg_item *item,
			 bool *agrees, uint64_t *value)
{
	const struct vg_slot *slot = vg_target_slot(target, address);
	const uint8_t *word = vg_target_bytes(target, address, 8);

	*agrees = true;
	if (slot && slot->symbol) {
		*agrees = item->name && !vg_item_is_local(item) &&
			  !strcmp(item->name, slot->symbol->name);
		return false;
	}
	if (slot) {
		*value = (uint64_t)slot->addend;
		return slot->type == R_X86_64_RELATIVE;
	}
	if (word)
		memcpy(value, word, 8);
	/* a weak name that nothing defines */
	*agrees = target->is_fixed || item->kind == VG_ITEM_UNDEFINED;
	return word && target->is_fixed;
}

static bool agrees_pointer(struct vg_matcher *matcher, const struct vg_object_reloc *reloc,
			   uint64_t address, const char **why)
{
	struct vg_item *item;
	int64_t offset;
	uint64_t value;
	bool agrees;

	if (reloc->type != R_X86_64_64 || !vg_reloc_target(reloc, 0, &item, &offset))
		return true;
	if (!read_pointer(matcher->target, address, item, &agrees, &value))
		return agrees || differs(matcher, item, why);
	return vg_match_lies_at(matcher, item, value - (uint64_t)offset, why);
}

/* Between two pointers. */
static bool has_same_bytes(const struct vg_item *item, const uint8_t *target, uint64_t from,
			   uint64_t to)
{
	return from >= to || !memcmp(vg_item_bytes(item) + from, target + from, to - from);
}

static bool agrees_contents(struct vg_matcher *matcher, const struct vg_item *item,
			    uint64_t address, const char **why)
{
	const uint8_t *bytes = vg_target_bytes(matcher->target, address, item->size);
	uint64_t at = 0;
	size_t count;
	const struct vg_object_reloc *relocs = vg_item_relocs(item, &count);

	if (!bytes)
		return differs(matcher, item, why);
	for (size_t i = 0; i < count; i++) {
		uint64_t field = relocs[i].offset - item->offset;

		if (!has_same_bytes(item, bytes, at, field))
			return differs(matcher, item, why);
		if (!agrees_pointer(matcher, &relocs[i], address + field, why))
			return false;
		at = field + vg_reloc_bytes(relocs[i].type);
	}
	return has_same_bytes(item, bytes, at, item->size) || differs(matcher, item, why);
}

static bool is_followed(const struct vg_item *item)
{
	return item->section && item->kind == VG_ITEM_VARIABLE &&
	       !vg_section_is_thread_local(item->section);
}

bool vg_match_data(struct vg_matcher *matcher, const struct vg_item *item, uint64_t address,
		   const char **why)
{
	bool agrees;

	if (!matcher->follow || !is_followed(item))
		return true;
	if (!vg_item_bytes(item)) /* .bss: not in the file */
		return (vg_target_has(matcher->target, address) &&
			!vg_target_is_code(matcher->target, address)) ||
		       differs(matcher, item, why);
	matcher->follow--;
	agrees = agrees_contents(matcher, item, address, why);
	matcher->follow++;
	return agrees;
}
