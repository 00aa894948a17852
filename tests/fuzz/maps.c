/* SPDX-License-Identifier: MIT */
/* Any text as /proc/PID/maps: file names in it are chosen by whoever runs the target. */
#include <string.h>

#include "common/process_maps.h"
#include "patcher/placement.h"
#include "tests/fuzz/lib/input.h"

static void look_up(const struct vg_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct vg_map *map = &maps->maps[i];
		const struct vg_map *found = vg_maps_find(maps, map->start);

		PROMISE(map->start < map->end);
		PROMISE(!found || (found->start <= map->start && map->start < found->end));
		fuzz_touch_string(map->path);
		vg_map_is_file(map);
		vg_map_is_anonymous(map);
	}
	vg_maps_find(maps, UINT64_MAX);
}

/* A place found must be free, whatever the mappings look like. */
static void place(const struct vg_maps *maps)
{
	struct vg_placement placement = {
		.start = maps->count ? maps->maps[0].start : 0,
		.end = maps->count ? maps->maps[0].end : 0x1000,
		.area_bytes = vg_placement_round(0x5000),
		.min_address = 0x10000,
	};
	uint64_t address;
	struct vg_error *error = vg_placement_find(&placement, maps, &address);

	for (size_t i = 0; !error && i < maps->count; i++)
		PROMISE(address + placement.area_bytes <= maps->maps[i].start ||
			address >= maps->maps[i].end);
	vg_error_free(error);
}

/* The kernel writes them so: whole pages, ascending, the last one [vsyscall]. */
static bool could_be_real(const struct vg_maps *maps)
{
	uint64_t end = 0;

	for (size_t i = 0; i < maps->count; i++) {
		const struct vg_map *map = &maps->maps[i];

		if (map->start < end || map->start % 4096 || map->end % 4096 ||
		    map->end > UINT64_C(0xffffffffff601000))
			return false;
		end = map->end;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vg_maps maps;
	char *text = malloc(size + 1);

	PROMISE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	vg_error_free(vg_maps_parse(text, &maps));
	look_up(&maps);
	if (could_be_real(&maps))
		place(&maps);
	vg_maps_clear(&maps);
	free(text);
	return 0;
}
