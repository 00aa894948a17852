/* SPDX-License-Identifier: MIT */
/*
 * lto: link-time optimisation inlines and clones functions across units, and compiling a unit alone
 * does not show it. -flto is left out of a unit's flags all the same where the target itself shows
 * that it made no difference:
 *
 *   1. the old code of each changed function is in the target as the unit alone compiles it
 *      (patch_build.c; what does not match is refused by this rule);
 *   2. the target's DWARF covers all its code, and in it each changed function has one body, the
 *      one that was matched, and inlined copies only in bodies that the patch replaces.
 */
#include <string.h>

#include "common/error.h"
#include "differ/link_time.h"
#include "differ/safety.h"

static struct vg_error *refuse(struct vg_patch_build *build, const struct vg_change *change,
			       const char *why)
{
	return vg_refuse(build, VG_RULE_LTO, change->pre->base,
			 vg_place_of(build, change->pair, change->post),
			 "%s is compiled with -flto, and %s; build the target without -flto, or "
			 "--allow lto if no other unit has a copy of it",
			 change->pre->base, why);
}

static bool is_matched_at(const struct vg_item *item, uint64_t address)
{
	return item->match && item->match->found && item->match->address == address;
}

/* Is the body at that address one that the patch replaces, a part of it included? */
static bool is_replaced(const struct vg_patch_build *build, uint64_t address)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		const struct vg_item *pre = build->changes.at[i]->pre;

		if (is_matched_at(pre, address))
			return true;
		for (size_t k = 0; k < pre->object->item_count; k++)
			if (vg_part_belongs_to(pre->object->items[k], pre) &&
			    is_matched_at(pre->object->items[k], address))
				return true;
	}
	return false;
}

/* Folders are left out: DWARF has the names that the compiler was given. */
static bool is_copy_of(const struct vg_copy *copy, const struct vg_change *change)
{
	return !strcmp(copy->function, change->pre->base) &&
	       (!vg_item_is_local(change->pre) ||
		!strcmp(copy->unit, basename(change->pair->unit->file)));
}

static struct vg_error *check_copies(struct vg_patch_build *build, const struct vg_change *change,
				     const struct vg_copies *copies)
{
	for (size_t i = 0; i < copies->list.count; i++) {
		const struct vg_copy *copy = &copies->list.at[i];
		const char *why;

		if (!is_copy_of(copy, change) || is_replaced(build, copy->address))
			continue;
		if (copy->within)
			why = vg_arena_printf(build->arena,
					      "%s at 0x%llx, which stays as it is, has an inlined "
					      "copy of it",
					      *copy->within ? copy->within : "code",
					      (unsigned long long)copy->address);
		else
			why = vg_arena_printf(build->arena, "a clone of it is at 0x%llx",
					      (unsigned long long)copy->address);
		return why ? refuse(build, change, why) : vg_error_no_memory();
	}
	return NULL;
}

/* What the C library's start-up files bring: no compiler of the project saw it. */
static bool is_startup(const struct vg_symbol *symbol)
{
	static const char *const names[] = {"_start",
					    "_init",
					    "_fini",
					    "_dl_relocate_static_pie",
					    "deregister_tm_clones",
					    "register_tm_clones",
					    "__do_global_dtors_aux",
					    "frame_dummy"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(symbol->name, names[i]))
			return true;
	return false;
}

static bool is_described(const struct vg_copies *copies, const struct vg_symbol *symbol)
{
	for (size_t i = 0; i < copies->list.count; i++)
		if (copies->list.at[i].address == symbol->sym.st_value)
			return true;
	return strstr(symbol->name, ".cold"); /* a second range of its function */
}

/* A function that DWARF does not describe may hold copies that cannot be seen. */
static const char *find_undescribed(const struct vg_target *target, const struct vg_copies *copies)
{
	const struct vg_symbols *symbols = &target->symbols;

	for (size_t i = 0; i < symbols->count; i++) {
		const struct vg_symbol *symbol = &symbols->symbols[i];

		if (GELF_ST_TYPE(symbol->sym.st_info) == STT_FUNC && symbol->sym.st_shndx &&
		    symbol->sym.st_size && !is_startup(symbol) && !is_described(copies, symbol))
			return symbol->name;
	}
	return NULL;
}

static struct vg_error *check_change(struct vg_patch_build *build, const struct vg_change *change,
				     const struct vg_copies *copies, const char *undescribed)
{
	if (!copies->is_known)
		return refuse(build, change,
			      "no debug information of the target tells where copies of it are");
	if (undescribed) {
		const char *why =
			vg_arena_printf(build->arena,
					"the target's debug information does not describe "
					"%s, which may hold a copy of it",
					undescribed);

		return why ? refuse(build, change, why) : vg_error_no_memory();
	}
	return check_copies(build, change, copies);
}

static bool has_lto(const struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->pair->unit->lto_dropped)
			return true;
	return false;
}

struct vg_error *vg_safety_check_lto(struct vg_patch_build *build)
{
	const struct vg_target *target = build->target;
	const char *undescribed,
		*path = target->symbol_file ? target->symbol_file->path : target->elf->path;
	struct vg_copies copies;

	if (!has_lto(build))
		return NULL;
	VG_TRY(vg_copies_read(build->arena, path, &copies));
	undescribed = find_undescribed(target, &copies);
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->pair->unit->lto_dropped)
			VG_TRY(check_change(build, build->changes.at[i], &copies, undescribed));
	return NULL;
}

struct vg_error *vg_safety_refuse_lto(struct vg_patch_build *build, struct vg_pair *pair,
				      const struct vg_item *pre)
{
	return vg_refuse(build, VG_RULE_LTO, pre->base, vg_place_of(build, pair, pre),
			 "%s is compiled with -flto, and %s does not hold it as this unit alone "
			 "compiles: link-time optimisation inlined, cloned or changed it; build "
			 "the target without -flto",
			 pre->base, build->target->elf->path);
}
