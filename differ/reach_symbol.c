/* SPDX-License-Identifier: MIT */
/* What the target's symbol tables say about a name. */
#include <string.h>

#include "common/error.h"
#include "differ/match_check.h"
#include "differ/patch_build.h"

static bool is_local_symbol(const struct vg_symbol *symbol)
{
	return GELF_ST_BIND(symbol->sym.st_info) == STB_LOCAL;
}

/*
 * Linkers make hidden symbols local, all of a static PIE's among them: ld lists them behind a
 * STT_FILE without a name, gold and lld leave them their visibility.
 */
static bool was_global(const struct vg_symbol *symbol)
{
	return !is_local_symbol(symbol) || (symbol->file && !*symbol->file) ||
	       GELF_ST_VISIBILITY(symbol->sym.st_other) != STV_DEFAULT;
}

static bool is_thread_local(const struct vg_symbol *symbol)
{
	return GELF_ST_TYPE(symbol->sym.st_info) == STT_TLS;
}

/* A local item is a local symbol of its unit's file; LTO and -r may have made it so or not. */
static bool is_candidate(const struct vg_item *item, const struct vg_symbol *symbol)
{
	bool is_code = vg_item_is_function(item);
	uint8_t type = GELF_ST_TYPE(symbol->sym.st_info);

	if (symbol->sym.st_shndx == SHN_UNDEF)
		return false;
	if (vg_item_is_local(item) ? !is_local_symbol(symbol) : !was_global(symbol))
		return false;
	if (item->kind == VG_ITEM_UNDEFINED)
		return true;
	return is_code == (type == STT_FUNC || type == STT_GNU_IFUNC) || type == STT_NOTYPE;
}

struct candidates {
	const struct vg_symbol *first;
	size_t count; /* different addresses */
	const char *text;
};

static void add_candidate(struct vg_patch_build *build, struct candidates *found,
			  const struct vg_symbol *symbol)
{
	if (found->first && found->first->sym.st_value == symbol->sym.st_value)
		return;
	if (!found->first)
		found->first = symbol;
	found->count++;
	found->text =
		vg_arena_enumerate(build->arena, found->text ?: "",
				   vg_arena_printf(build->arena, "0x%llx%s%s",
						   (unsigned long long)symbol->sym.st_value,
						   symbol->file ? " of " : "", symbol->file ?: ""));
}

static void find_candidates(struct vg_patch_build *build, const struct vg_item *item, bool in_file,
			    struct candidates *found)
{
	size_t count;
	const struct vg_symbol **named = vg_target_named(build->target, item->name, &count);

	*found = (struct candidates){0};
	for (size_t i = 0; i < count; i++)
		if (is_candidate(item, named[i]) &&
		    (!in_file || vg_symbol_is_of_file(named[i], item->object->file)))
			add_candidate(build, found, named[i]);
}

static void find_in_scope(struct vg_patch_build *build, const struct vg_item *item,
			  struct candidates *found)
{
	find_candidates(build, item, vg_item_is_local(item), found);
	if (!found->count && vg_item_is_local(item))
		find_candidates(build, item, false, found);
}

/* A name that the compiler numbered may be another variable in the target. */
static bool is_name_reliable(const struct vg_item *item)
{
	return item->kind == VG_ITEM_UNDEFINED || !strcmp(item->name, item->base);
}

/* What a shared library exports may be another module's at run time. */
static bool is_interposable(const struct vg_patch_build *build, const struct vg_item *item)
{
	const struct vg_symbol *symbol = vg_target_dynamic(build->target, item->name);

	return !build->target->is_executable && symbol && symbol->sym.st_shndx != SHN_UNDEF &&
	       GELF_ST_VISIBILITY(symbol->sym.st_other) == STV_DEFAULT;
}

static void take_indirections(struct vg_patch_build *build, const struct vg_item *item,
			      struct vg_reach *reach)
{
	const struct vg_plt_entry *plt = vg_target_plt_for(build->target, item->name);
	const struct vg_slot *slot = vg_target_slot_for(build->target, item->name);

	if (plt) {
		reach->has_call = true;
		reach->call = plt->address;
		reach->how = "the target's PLT";
	}
	if (slot) {
		reach->has_slot = true;
		reach->slot = slot->address;
		reach->how = "the target's GOT";
	}
}

/* An IFUNC's symbol is its resolver, which must not be called in its place. */
static struct vg_error *take_ifunc(struct vg_patch_build *build, const struct vg_item *item,
				   const struct vg_symbol *symbol, struct vg_reach *reach)
{
	const struct vg_plt_entry *plt =
		vg_target_plt_for_resolver(build->target, symbol->sym.st_value);

	if (!plt)
		return vg_error_refuse(VG_RULE_AMBIGUOUS,
				       "%s: %s is chosen when the target starts (IFUNC), and the "
				       "target has no entry that leads to the choice",
				       item->object->file, item->name);
	reach->has_call = true;
	reach->call = plt->address;
	reach->has_slot = true;
	reach->slot = plt->slot->address;
	reach->how = "the target's IFUNC entry";
	return NULL;
}

static struct vg_error *take_symbol(struct vg_patch_build *build, const struct vg_item *item,
				    const struct vg_symbol *symbol, struct vg_reach *reach)
{
	reach->how = "symbol table";
	if (GELF_ST_TYPE(symbol->sym.st_info) == STT_GNU_IFUNC)
		return take_ifunc(build, item, symbol, reach);
	if (is_thread_local(symbol)) {
		reach->has_tpoff = build->target->is_executable;
		reach->tpoff = vg_target_tpoff(build->target, symbol->sym.st_value);
		reach->has_dtpoff = true;
		reach->dtpoff = (int64_t)symbol->sym.st_value;
		return NULL;
	}
	reach->has_address = true;
	reach->address = symbol->sym.st_value;
	return NULL;
}

/* A non-PIE program gives the function's PLT entry as its address (System V ABI x86-64, 5.2). */
static void take_canonical_plt(struct vg_patch_build *build, const struct vg_item *item,
			       struct vg_reach *reach)
{
	const struct vg_symbol *symbol = vg_target_dynamic(build->target, item->name);

	if (symbol && symbol->sym.st_shndx == SHN_UNDEF && symbol->sym.st_value) {
		reach->has_address = true;
		reach->address = symbol->sym.st_value;
		reach->how = "the target's canonical PLT entry";
	}
}

struct vg_error *vg_reach_symbol(struct vg_patch_build *build, const struct vg_item *item,
				 struct vg_reach *reach)
{
	struct candidates found;

	if (!vg_item_is_local(item)) {
		take_indirections(build, item, reach);
		if (is_interposable(build, item))
			return NULL;
	}
	find_in_scope(build, item, &found);
	if (found.count > 1 || (found.count && !is_name_reliable(item)))
		return vg_error_refuse(VG_RULE_AMBIGUOUS,
				       "%s: no code of the target that was matched uses %s, and "
				       "the symbol table has more than one or an unsure candidate: "
				       "%s; rename it",
				       item->object->file, item->name, found.text);
	if (found.count)
		return take_symbol(build, item, found.first, reach);
	take_canonical_plt(build, item, reach);
	return NULL;
}

struct vg_error *vg_reach_check(struct vg_patch_build *build, const struct vg_item *item,
				uint64_t address)
{
	struct candidates found;
	size_t count;
	const struct vg_symbol **named = vg_target_named(build->target, item->name, &count);

	if (!is_name_reliable(item))
		return NULL;
	find_in_scope(build, item, &found);
	if (!found.count)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (named[i]->sym.st_value == address)
			return NULL;
	if (vg_target_plt(build->target, address))
		return NULL;
	return vg_error_refuse(VG_RULE_AMBIGUOUS,
			       "%s: the code of the target that uses %s says 0x%llx, its symbol "
			       "table says %s; is this the right --symbols file?",
			       item->object->file, item->name, (unsigned long long)address,
			       found.text);
}

static bool is_named_like(const struct vg_symbol *symbol, const char *base)
{
	size_t length = strlen(base);

	return !strncmp(symbol->name, base, length) &&
	       (!symbol->name[length] || symbol->name[length] == '.');
}

/*
 * Linkers drop what nothing uses (--gc-sections). With the symbols of the unit at hand, a name that
 * is not among them, whatever its number, is not in the target.
 */
bool vg_is_dropped(const struct vg_patch_build *build, const struct vg_item *item)
{
	const struct vg_target *target = build->target;

	if (!item->base || !vg_target_has_file(target, item->object->file))
		return false;
	for (size_t i = 0; i < target->by_name_count; i++)
		if (is_named_like(target->by_name[i], item->base))
			return false;
	return true;
}
