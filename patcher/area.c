/* SPDX-License-Identifier: MIT */
#include "patcher/area.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/mapping.h"
#include "patcher/placement.h"

/* Areas as they are found, before they are grouped into patches. */
struct found {
	struct vg_area *areas;
	size_t count;
};

static void area_clear(struct vg_area *area)
{
	free(area->functions);
	area->functions = NULL;
}

static void found_clear(struct found *found)
{
	for (size_t i = 0; i < found->count; i++)
		area_clear(&found->areas[i]);
	free(found->areas);
	*found = (struct found){0};
}

static struct vg_error *no_memory(void)
{
	return vg_error_new(VG_FAILED, "out of memory for the patch areas of the target");
}

/* The whole area must be private anonymous memory, one mapping behind the other. */
static bool is_mapped_whole(const struct vg_maps *maps, const struct vga_header *header)
{
	uint64_t end = header->area_address + header->area_bytes;

	for (uint64_t at = header->area_address; at < end;) {
		const struct vg_map *map = vg_maps_find(maps, at);

		if (!map || !vg_mapping_is_private_anonymous(map))
			return false;
		at = map->end;
	}
	return true;
}

static struct vg_error *add_area(struct found *found, const struct vga_header *header)
{
	struct vg_area *areas = reallocarray(found->areas, found->count + 1, sizeof(*areas));

	if (!areas)
		return no_memory();
	found->areas = areas;
	areas[found->count++] = (struct vg_area){.header = *header};
	return NULL;
}

static struct vg_error *add_orphan(struct vg_areas *areas, uint64_t start, uint64_t bytes)
{
	struct vg_orphan *orphans =
		reallocarray(areas->orphans, areas->orphan_count + 1, sizeof(*orphans));

	if (!orphans)
		return no_memory();
	areas->orphans = orphans;
	orphans[areas->orphan_count++] = (struct vg_orphan){.start = start, .bytes = bytes};
	return NULL;
}

/*
 * A page that was never touched is not read: reading would map the zero page there, and the mapping
 * would no longer be recognised.
 */
static struct vg_error *look_at(const struct vg_memory *memory, const struct vg_maps *maps,
				const struct vg_map *map, struct vg_areas *areas,
				struct found *found)
{
	struct vga_header header = {0};
	bool is_area = false;

	if (vg_mapping_is_page_present(memory->pid, map->start)) {
		if (vg_memory_read_some(memory, map->start, &header, sizeof(header)) !=
		    sizeof(header))
			return NULL;
		VG_TRY(vg_area_check_header(&header, map->start, &is_area));
	}
	if (is_area && !is_mapped_whole(maps, &header))
		return vg_error_new(VG_FAILED,
				    "the patch area at 0x%" PRIx64
				    " is damaged (parts of it are not mapped)",
				    map->start);
	if (is_area)
		return add_area(found, &header);
	if (vg_placement_is_marked(map->start, map->end - map->start) &&
	    vg_mapping_is_untouched(memory->pid, map))
		return add_orphan(areas, map->start, map->end - map->start);
	return NULL;
}

static struct vg_error *read_functions(const struct vg_memory *memory, struct vg_area *area)
{
	size_t bytes = area->header.function_count * sizeof(struct vga_function);

	area->functions = malloc(bytes ? bytes : 1);
	if (!area->functions)
		return no_memory();
	return vg_memory_read(memory, area->header.area_address + area->header.functions_offset,
			      area->functions, bytes);
}

static struct vg_error *read_object(const struct vg_memory *memory, const struct vga_header *header,
				    struct vg_patch **object)
{
	_cleanup_free_ uint8_t *bytes = malloc(header->object_bytes ? header->object_bytes : 1);
	char origin[64];

	if (!bytes)
		return no_memory();
	snprintf(origin, sizeof(origin), "patch area at 0x%" PRIx64 " in process %d",
		 header->area_address, memory->pid);
	VG_TRY(vg_memory_read(memory, header->area_address + header->object_offset, bytes,
			      header->object_bytes));
	return vg_patch_parse(bytes, header->object_bytes, origin, object);
}

/*
 * Until READY the content may be incomplete, and nothing leads to it: the header is enough to unmap
 * it. The same goes for a patch that is disarmed. Hooks are found in the content.
 */
static bool is_content_needed(const struct vg_installed *installed)
{
	return vg_installed_is_linked(installed) || vg_installed_may_run_hook(installed);
}

/*
 * Of a patch that is out the object still tells how to unwind code that somebody may be in, and
 * what it depends on. Without it the rest of the target is as well off.
 */
static void read_object_of_leftover(const struct vg_memory *memory, struct vg_installed *installed)
{
	if (installed->state == VGA_DISARMED || installed->state == VGA_RETIRED)
		vg_error_free(read_object(memory, &installed->areas[0].header, &installed->object));
}

static struct vg_error *read_content(const struct vg_memory *memory, struct vg_installed *installed)
{
	read_object_of_leftover(memory, installed);
	if (!is_content_needed(installed))
		return NULL;
	VG_TRY(read_object(memory, &installed->areas[0].header, &installed->object));
	if (installed->area_count != installed->object->module_count)
		return vg_error_new(VG_FAILED,
				    "patch %s in process %d is damaged: it has %zu of %zu areas",
				    vg_installed_name(installed), memory->pid,
				    installed->area_count, installed->object->module_count);
	for (size_t i = 0; i < installed->area_count; i++) {
		VG_TRY(read_functions(memory, &installed->areas[i]));
		VG_TRY(vg_area_check_functions(&installed->areas[i], installed->object));
	}
	return NULL;
}

static bool is_primary(const struct vg_area *area)
{
	return area->header.primary == area->header.area_address;
}

/* Moves the areas of one patch out of `found`: the primary first. */
static struct vg_error *gather(struct found *found, size_t primary, struct vg_areas *areas)
{
	struct vg_installed *patches =
		reallocarray(areas->patches, areas->count + 1, sizeof(*patches));

	if (!patches)
		return no_memory();
	areas->patches = patches;

	struct vg_installed *installed = &patches[areas->count];
	const struct vga_header *header = &found->areas[primary].header;

	*installed = (struct vg_installed){.areas = calloc(found->count, sizeof(struct vg_area)),
					   .state = (enum vga_state)header->state,
					   .on = header->switch_word != 0};
	if (!installed->areas)
		return no_memory();
	areas->count++;
	installed->areas[installed->area_count++] = found->areas[primary];
	for (size_t i = 0; i < found->count; i++)
		if (i != primary && found->areas[i].header.primary == header->area_address)
			installed->areas[installed->area_count++] = found->areas[i];
	return NULL;
}

/* The primary is mapped first and unmapped last, so an area without one is a leftover. */
static struct vg_error *add_leftovers(const struct found *found, struct vg_areas *areas)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct vga_header *header = &found->areas[i].header;
		bool has_primary = false;

		for (size_t j = 0; j < found->count; j++)
			has_primary |= is_primary(&found->areas[j]) &&
				       found->areas[j].header.area_address == header->primary;
		if (!has_primary)
			VG_TRY(add_orphan(areas, header->area_address, header->area_bytes));
	}
	return NULL;
}

static int compare_sequence(const void *a, const void *b)
{
	const struct vg_installed *left = a, *right = b;
	uint64_t x = left->areas[0].header.sequence, y = right->areas[0].header.sequence;

	return (x > y) - (x < y);
}

static struct vg_error *group(const struct vg_memory *memory, struct found *found,
			      struct vg_areas *areas)
{
	for (size_t i = 0; i < found->count; i++)
		if (is_primary(&found->areas[i]))
			VG_TRY(gather(found, i, areas));
	VG_TRY(add_leftovers(found, areas));
	if (areas->count > 1)
		qsort(areas->patches, areas->count, sizeof(*areas->patches), compare_sequence);
	for (size_t i = 0; i < areas->count; i++)
		VG_TRY(read_content(memory, &areas->patches[i]));
	return NULL;
}

static struct vg_error *scan(const struct vg_memory *memory, const struct vg_maps *maps,
			     struct vg_areas *areas, struct found *found)
{
	for (size_t i = 0; i < maps->count; i++)
		if (vg_mapping_may_be_area(&maps->maps[i]))
			VG_TRY(look_at(memory, maps, &maps->maps[i], areas, found));
	return group(memory, found, areas);
}

struct vg_error *vg_areas_read(const struct vg_memory *memory, const struct vg_maps *maps,
			       struct vg_areas *areas)
{
	_cleanup_(found_clear) struct found found = {0};

	*areas = (struct vg_areas){0};
	struct vg_error *error = scan(memory, maps, areas, &found);

	if (error)
		vg_areas_clear(areas);
	return error;
}

void vg_areas_clear(struct vg_areas *areas)
{
	for (size_t i = 0; i < areas->count; i++) {
		struct vg_installed *installed = &areas->patches[i];

		for (size_t j = 0; j < installed->area_count; j++)
			area_clear(&installed->areas[j]);
		free(installed->areas);
		vg_patch_free(installed->object);
	}
	free(areas->patches);
	free(areas->orphans);
	*areas = (struct vg_areas){0};
}
