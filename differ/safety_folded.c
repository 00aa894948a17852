/* SPDX-License-Identifier: MIT */
/*
 * Identical code folding (gold and lld, --icf): the linker keeps one copy of functions that compile
 * to the same code, so that two names stand at one address. A jump at that entry would change both,
 * and only one of them is meant. Aliases, which the source makes, stand at one address in the
 * object file already.
 */
#include <string.h>

#include "common/error.h"
#include "differ/safety.h"

static bool is_function(const struct vg_symbol *symbol)
{
	unsigned type = GELF_ST_TYPE(symbol->sym.st_info);

	return symbol->sym.st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC);
}

/* "name@@VERSION" in a .symtab is the name. */
static bool is_same_name(const char *symbol, const char *name)
{
	size_t length = strcspn(symbol, "@");

	return strlen(name) == length && strncmp(symbol, name, length) == 0;
}

static bool is_name_of(const struct vg_item *item, const char *symbol)
{
	const struct vg_object *object = item->object;

	for (size_t i = 0; i < object->symbol_count; i++) {
		const struct vg_object_symbol *own = &object->symbols[i];

		if (own->section == item->section && own->value == item->offset && own->name &&
		    is_same_name(symbol, own->name))
			return true;
	}
	return false;
}

static const char *find_stranger(const struct vg_symbols *symbols, const struct vg_change *change)
{
	for (size_t i = 0; i < symbols->count; i++) {
		const struct vg_symbol *symbol = &symbols->symbols[i];

		if (symbol->sym.st_value == change->match->address && is_function(symbol) &&
		    !is_name_of(change->pre, symbol->name))
			return symbol->name;
	}
	return NULL;
}

static struct vg_error *check_change(struct vg_patch_build *build, const struct vg_change *change)
{
	const char *other;

	if (!change->pre || !change->match)
		return NULL;
	other = find_stranger(&build->target->symbols, change);
	if (!other)
		other = find_stranger(&build->target->dynamic, change);
	if (!other)
		return NULL;
	return vg_refuse(build, VG_RULE_AMBIGUOUS, change->pre->source,
			 vg_place_of(build, change->pair, change->pre),
			 "%s and %s are one function in %s: the linker folded identical "
			 "code, and changing one would change the other; link without --icf, or "
			 "--allow ambiguous if both may change",
			 change->pre->source, other, build->target->elf->path);
}

/*
 * Nobody may allow this: one entry cannot lead to two new functions. It is what comes of a unit of
 * another program that has the same code, when the target is stripped of the names of its files.
 */
static struct vg_error *check_pair(const struct vg_patch_build *build, const struct vg_change *a,
				   const struct vg_change *b)
{
	if (!a->match || !b->match || a->match->address != b->match->address)
		return NULL;
	return vg_error_refuse(
		VG_RULE_AMBIGUOUS,
		"%s of %s and %s of %s have the same code and one place in %s, 0x%llx, so "
		"that only one of them can be there; give a --compdb that has what the "
		"target was linked from, or --symbols",
		a->pre->source, a->pre->object->file, b->pre->source, b->pre->object->file,
		build->target->elf->path, (unsigned long long)a->match->address);
}

static struct vg_error *check_others(const struct vg_patch_build *build, size_t i)
{
	const struct vg_change *change = build->changes.at[i];

	for (size_t j = i + 1; change->pre && j < build->changes.count; j++)
		if (build->changes.at[j]->pre)
			VG_TRY(check_pair(build, change, build->changes.at[j]));
	return NULL;
}

struct vg_error *vg_safety_check_folded(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		VG_TRY(check_change(build, build->changes.at[i]));
		VG_TRY(check_others(build, i));
	}
	return NULL;
}
