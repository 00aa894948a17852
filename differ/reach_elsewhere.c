/* SPDX-License-Identifier: MIT */
/*
 * What a unit that the diff does not reach defines, and the target does not export: that unit is
 * compiled as it is, and what it defines is sought in the target as everything else is, by its own
 * code or by code that uses it. Two places in the target are one too many.
 */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

#define MAX_UNITS 16

static struct vg_error *read_unit(struct vg_patch_build *build, const struct vg_defining_unit *unit,
				  struct vg_pair **pair)
{
	for (size_t i = 0; i < build->elsewhere.count; i++)
		if (build->elsewhere.at[i]->defining == unit) {
			*pair = build->elsewhere.at[i];
			return NULL;
		}
	*pair = vg_arena_alloc(build->arena, 1, sizeof(**pair));
	if (!*pair || !vg_list_push(build->arena, &build->elsewhere, *pair))
		return vg_error_no_memory();
	(*pair)->defining = unit;
	VG_TRY(vg_object_read(build->arena, unit->object, unit->file, &(*pair)->pre));
	return vg_object_read(build->arena, unit->plain_object, unit->file, &(*pair)->plain);
}

static struct vg_error *take_definition(struct vg_patch_build *build, struct vg_pair *pair,
					const struct vg_item *item, struct vg_reach *reach)
{
	struct vg_item *definition = vg_object_item_named(pair->pre, item->name);
	struct vg_reach there = {0};

	if (!definition || !definition->section || vg_item_is_local(definition))
		return NULL;
	VG_TRY(vg_reach_old(build, pair, definition, &there));
	if (!there.has_address)
		return NULL;
	if (reach->has_address && reach->address != there.address)
		return vg_error_refuse(
			VG_RULE_AMBIGUOUS,
			"%s: %s, which the new code refers to, has more than one place in %s: "
			"0x%llx and 0x%llx; give --symbols",
			item->object->file, item->name, build->target->elf->path,
			(unsigned long long)reach->address, (unsigned long long)there.address);
	reach->has_address = true;
	reach->address = there.address;
	reach->how = vg_arena_printf(build->arena, "matched code of %s", definition->object->file);
	return reach->how ? NULL : vg_error_no_memory();
}

struct vg_error *vg_reach_elsewhere(struct vg_patch_build *build, const struct vg_item *item,
				    struct vg_reach *reach)
{
	struct vg_defining_unit *units[MAX_UNITS];
	size_t count;

	VG_TRY(vg_units_defining(build->units, item->name, units, MAX_UNITS, &count));
	for (size_t i = 0; i < count; i++) {
		struct vg_pair *pair;

		VG_TRY(read_unit(build, units[i], &pair));
		VG_TRY(take_definition(build, pair, item, reach));
	}
	return NULL;
}
