/* SPDX-License-Identifier: MIT */
#include "patcher/shadows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vgraft/hooks.h>
#include <vgraft/rules.h>

#include "common/cleanup.h"
#include "patcher/replace.h"

#define PAGE 4096

static uint64_t *keys_of(const struct vg_shadow_table *table)
{
	return (uint64_t *)table->fixed;
}

static uint32_t *sizes_of(const struct vg_shadow_table *table)
{
	return (uint32_t *)(table->fixed + table->count * sizeof(uint64_t));
}

static uint8_t *value_of(const struct vg_shadow_table *table, size_t i)
{
	return table->values + i * table->bytes;
}

static uint64_t value_address(const struct vg_shadow_table *table, size_t i)
{
	return table->address + vgp_shadow_values(table->count) + i * table->bytes;
}

static bool is_live(const struct vg_shadow_table *table, size_t i)
{
	return keys_of(table)[i] > VGRAFT_SHADOW_FREED;
}

static size_t count_live(const struct vg_shadow_table *table)
{
	size_t live = 0;

	for (size_t i = 0; i < table->count; i++)
		live += is_live(table, i);
	return live;
}

/* A call of the kernel takes about as long as it copies a page. */
static bool is_dense(const struct vg_shadow_table *table, size_t live)
{
	return live > (uint64_t)table->count * table->bytes / PAGE;
}

static struct vg_error *open_table(const struct vgp_shadow_table *record, uint64_t segment,
				   const char *patch, struct vg_shadow_table *table)
{
	*table = (struct vg_shadow_table){.patch = patch,
					  .address = segment + record->offset,
					  .count = record->count,
					  .bytes = record->bytes,
					  .fixed = calloc(1, vgp_shadow_values(record->count)),
					  .values = calloc(record->count, record->bytes)};
	if (table->fixed && table->values)
		return NULL;
	return vg_error_new(VG_FAILED, "out of memory for the shadow variables of patch %s", patch);
}

static bool has_variable(const struct vg_patch *patch, const char *name)
{
	for (size_t i = 0; i < patch->variable_count; i++)
		if (!strcmp(vg_patch_string(patch, patch->variables[i].name), name))
			return true;
	return false;
}

static const char way_out[] = "revert that first, or build this one with --allow shadow, which "
			      "drops shadow variables";

/* Before objects told of their tables there was a variable of that name. */
static struct vg_error *check_told(const struct vg_installed *older)
{
	if (!has_variable(older->object, "vgraft_shadows"))
		return NULL;
	return vg_error_refuse(VG_RULE_SHADOW,
			       "patch %s, which would be replaced, was built by a vgraft that did "
			       "not say how its shadow variables lie; %s",
			       vg_installed_name(older), way_out);
}

static struct vg_error *list_from(const struct vg_areas *areas, struct vg_shadows *shadows)
{
	shadows->from = calloc(areas->count + 1, sizeof(*shadows->from));
	if (!shadows->from)
		return vg_error_new(VG_FAILED, "out of memory for the patches that are replaced");
	for (size_t i = 0; i < areas->count; i++) {
		const struct vg_installed *older = &areas->patches[i];
		const struct vgp_shadow_table *record;

		if (!vg_replace_is_older(older) || !older->object)
			continue;
		record = older->object->shadow_count ? older->object->shadows : NULL;
		if (!record) {
			if (!shadows->drops)
				VG_TRY(check_told(older));
			continue;
		}
		VG_TRY(open_table(record, vg_installed_segment(older, record->segment),
				  vg_installed_name(older), &shadows->from[shadows->from_count++]));
	}
	return NULL;
}

static struct vg_error *read_fixed(const struct vg_shadows *shadows,
				   const struct vg_shadow_table *table)
{
	return vg_memory_read(shadows->memory, table->address, table->fixed,
			      vgp_shadow_values(table->count));
}

static uint64_t object_of(uint64_t key)
{
	return key & 0xffffffffffff;
}

/* Which of the replaced patches has the variable; NULL: none before `end`. */
static const char *other_owner(const struct vg_shadows *shadows, const struct vg_shadow_table *end,
			       uint64_t key)
{
	for (const struct vg_shadow_table *table = shadows->from; table < end; table++)
		for (size_t i = 0; i < table->count; i++)
			if (keys_of(table)[i] == key)
				return table->patch;
	return NULL;
}

static struct vg_error *refuse_double(const struct vg_shadows *shadows,
				      const struct vg_shadow_table *from, uint64_t key)
{
	return vg_error_refuse(VG_RULE_SHADOW,
			       "patches %s and %s both have the shadow variable %u of the object "
			       "at 0x%" PRIx64 ", and patch %s, which replaces them, can have but "
			       "one; revert one of the two, or build this one with --allow shadow, "
			       "which drops shadow variables",
			       other_owner(shadows, from, key) ?: from->patch, from->patch,
			       (unsigned)(key >> 48), object_of(key), shadows->to.patch);
}

static struct vg_error *refuse_large(const struct vg_shadows *shadows,
				     const struct vg_shadow_table *from, size_t i)
{
	return vg_error_refuse(VG_RULE_SHADOW,
			       "the shadow variable %u of the object at 0x%" PRIx64
			       " has %u bytes in patch %s; patch %s, which replaces that, has room "
			       "for %u: build it with a larger VGRAFT_SHADOW_BYTES",
			       (unsigned)(keys_of(from)[i] >> 48), object_of(keys_of(from)[i]),
			       sizes_of(from)[i], from->patch, shadows->to.patch,
			       shadows->to.bytes);
}

static struct vg_error *refuse_many(const struct vg_shadows *shadows)
{
	return vg_error_refuse(VG_RULE_SHADOW,
			       "the patches that would be replaced have %zu shadow variables; "
			       "patch %s has room for %u: build it with a larger "
			       "VGRAFT_SHADOW_COUNT",
			       shadows->live, shadows->to.patch, shadows->to.count);
}

/* `patch`: the first of those that have some. */
static struct vg_error *refuse_without_table(const struct vg_shadows *shadows, const char *patch)
{
	return vg_error_refuse(VG_RULE_SHADOW,
			       "patch %s has shadow variables in use, and patch %s, which would "
			       "replace it, has no table for them; build it with a file that says "
			       "VGRAFT_SHADOW_VARIABLES, or with --allow shadow, which drops them",
			       patch, shadows->to.patch);
}

/* There is room: refuse_many() came first. */
static struct vg_error *place(struct vg_shadows *shadows, const struct vg_shadow_table *from,
			      size_t i, size_t *at)
{
	const struct vg_shadow_table *to = &shadows->to;
	uint64_t key = keys_of(from)[i];

	if (sizes_of(from)[i] > from->bytes)
		return vg_error_new(VG_REFUSED,
				    "the shadow variables of patch %s are damaged: one of %u bytes "
				    "is larger than its place",
				    from->patch, sizes_of(from)[i]);
	if (sizes_of(from)[i] > to->bytes)
		return refuse_large(shadows, from, i);
	*at = VGRAFT_SHADOW_HASH(key) % to->count;
	while (keys_of(to)[*at] && keys_of(to)[*at] != key)
		*at = (*at + 1) % to->count;
	if (keys_of(to)[*at])
		return refuse_double(shadows, from, key);
	keys_of(to)[*at] = key;
	sizes_of(to)[*at] = sizes_of(from)[i];
	/* The last look may have put another variable there, and what is attached again may grow.
	 */
	memset(value_of(to, *at), 0, to->bytes);
	return NULL;
}

static struct vg_error *take_from(struct vg_shadows *shadows, const struct vg_shadow_table *from)
{
	size_t live = count_live(from), at = 0;
	bool whole = is_dense(from, live);

	if (whole)
		VG_TRY(vg_memory_read(shadows->memory, value_address(from, 0), from->values,
				      (size_t)from->count * from->bytes));
	for (size_t i = 0; i < from->count; i++) {
		if (!is_live(from, i))
			continue;
		VG_TRY(place(shadows, from, i, &at));
		if (whole)
			memcpy(value_of(&shadows->to, at), value_of(from, i), sizes_of(from)[i]);
		else
			VG_TRY(vg_memory_read(shadows->memory, value_address(from, i),
					      value_of(&shadows->to, at), sizes_of(from)[i]));
	}
	return NULL;
}

/* The new table, in the tool's memory. */
static struct vg_error *gather(struct vg_shadows *shadows)
{
	const char *first = NULL;

	shadows->live = 0;
	for (size_t i = 0; i < shadows->from_count; i++) {
		VG_TRY(read_fixed(shadows, &shadows->from[i]));
		shadows->live += count_live(&shadows->from[i]);
		if (shadows->live && !first)
			first = shadows->from[i].patch;
	}
	if (!shadows->live || shadows->drops)
		return NULL;
	if (!shadows->to.count)
		return refuse_without_table(shadows, first);
	if (shadows->live > shadows->to.count)
		return refuse_many(shadows);
	memset(shadows->to.fixed, 0, vgp_shadow_values(shadows->to.count));
	for (size_t i = 0; i < shadows->from_count; i++)
		VG_TRY(take_from(shadows, &shadows->from[i]));
	return NULL;
}

struct vg_error *vg_shadows_look(const struct vg_memory *memory, const struct vg_areas *areas,
				 const struct vg_patch *patch, const uint64_t *segments,
				 struct vg_shadows *shadows)
{
	*shadows = (struct vg_shadows){.memory = memory,
				       .drops = patch->header->flags & VGP_DROPS_SHADOWS,
				       .to.patch = vg_patch_name(patch)};
	if (!vg_patch_replaces(patch))
		return NULL;
	VG_TRY(list_from(areas, shadows));
	if (patch->shadow_count && shadows->from_count)
		VG_TRY(open_table(patch->shadows, segments[patch->shadows->segment],
				  vg_patch_name(patch), &shadows->to));
	return gather(shadows);
}

/* What lies behind a variable's size, and where none is, is zero in the target, or unused. */
static struct vg_error *write_values(const struct vg_shadows *shadows)
{
	const struct vg_shadow_table *to = &shadows->to;

	if (is_dense(to, shadows->live))
		return vg_memory_write(shadows->memory, value_address(to, 0), to->values,
				       (size_t)to->count * to->bytes);
	for (size_t i = 0; i < to->count; i++)
		if (is_live(to, i))
			VG_TRY(vg_memory_write(shadows->memory, value_address(to, i),
					       value_of(to, i), sizes_of(to)[i]));
	return NULL;
}

struct vg_error *vg_shadows_carry(struct vg_shadows *shadows)
{
	VG_TRY(gather(shadows));
	if (!shadows->live || shadows->drops)
		return NULL;
	VG_TRY(write_values(shadows));
	return vg_memory_write(shadows->memory, shadows->to.address, shadows->to.fixed,
			       vgp_shadow_values(shadows->to.count));
}

static void close_table(struct vg_shadow_table *table)
{
	free(table->fixed);
	free(table->values);
}

void vg_shadows_clear(struct vg_shadows *shadows)
{
	for (size_t i = 0; i < shadows->from_count; i++)
		close_table(&shadows->from[i]);
	free(shadows->from);
	close_table(&shadows->to);
	*shadows = (struct vg_shadows){0};
}
