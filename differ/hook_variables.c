/* SPDX-License-Identifier: MIT */
/*
 * The table of shadow variables, which <vgraft/hooks.h> makes where a file of the patch says
 * VGRAFT_SHADOW_VARIABLES. A constant beside it describes it; neither that nor what files say they
 * need (VGRAFT_SHADOW_NEEDS) goes into the patch.
 */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

static_assert(VGRAFT_SHADOW_LAYOUT == VGP_SHADOW_LAYOUT, "the header that we read is our own");

/* A variable of that name which the patch brings, or NULL. */
static struct vg_item *find_new(const struct vg_pair *pair, const char *name)
{
	for (size_t i = 0; i < pair->post->item_count; i++) {
		struct vg_item *item = pair->post->items[i];

		if (item->kind == VG_ITEM_VARIABLE && !item->twin && item->base &&
		    !strcmp(item->base, name))
			return item;
	}
	return NULL;
}

/* What the compiler made of a constant of that size; false: something else. */
static bool read_constant(const struct vg_item *item, void *value, size_t size)
{
	const uint8_t *bytes = item->size == size ? vg_item_bytes(item) : NULL;

	if (bytes)
		memcpy(value, bytes, size);
	return bytes;
}

static uint64_t table_bytes(const struct vgraft_shadow_table *says)
{
	return vgp_shadow_values(says->count) + (uint64_t)says->count * says->bytes;
}

static bool is_as_described(const struct vg_item *table, const struct vgraft_shadow_table *says)
{
	return table && says->layout == VGP_SHADOW_LAYOUT && table->size == table_bytes(says);
}

static struct vg_error *take_table(struct vg_patch_build *build, struct vg_pair *pair)
{
	struct vg_item *description = find_new(pair, "vgraft_shadow_table");
	struct vg_item *table = find_new(pair, "vgraft_shadows");
	struct vgraft_shadow_table says;
	struct vg_piece *piece;

	if (!description)
		return NULL;
	if (!read_constant(description, &says, sizeof(says)) || !is_as_described(table, &says))
		return vg_error_refuse(VG_RULE_HOOK,
				       "%s: its table of shadow variables is not one of this "
				       "vgraft's <vgraft/hooks.h>",
				       pair->post->file);
	if (build->shadows)
		return vg_error_refuse(VG_RULE_HOOK,
				       "%s and %s both say VGRAFT_SHADOW_VARIABLES, but a patch "
				       "has one table of them; say it in one file, best one of its "
				       "own",
				       build->shadows->object->file, pair->post->file);
	build->shadows = table;
	build->shadow_table = says;
	return vg_piece_of(build, pair, table, 0, &piece);
}

static struct vg_error *check_needs(const struct vg_patch_build *build, const struct vg_pair *pair)
{
	struct vg_item *item = find_new(pair, "vgraft_shadow_needs");
	uint32_t needs;

	if (!item || !build->shadows || !read_constant(item, &needs, sizeof(needs)) ||
	    needs <= build->shadow_table.bytes)
		return NULL;
	return vg_error_refuse(VG_RULE_HOOK,
			       "%s needs shadow variables of %u bytes, but those of %s have %u; "
			       "give it a larger VGRAFT_SHADOW_BYTES",
			       pair->post->file, needs, build->shadows->object->file,
			       build->shadow_table.bytes);
}

struct vg_error *vg_shadows_take(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(take_table(build, &build->pairs[i]));
	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(check_needs(build, &build->pairs[i]));
	return NULL;
}

void vg_shadows_record(const struct vg_patch_build *build, struct vgp_shadow_table *record)
{
	*record = (struct vgp_shadow_table){.segment = 1,
					    .offset = build->shadows->piece->offset,
					    .count = build->shadow_table.count,
					    .bytes = build->shadow_table.bytes,
					    .layout = build->shadow_table.layout};
}
