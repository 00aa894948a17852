/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/process_maps.h"
#include "tests/corpus/live.h"

struct snapshot {
	struct vg_maps maps;
	uint8_t **code; /* of maps.maps[i], or NULL */
};

/* Heap and stack grow by themselves when a program runs for the first time through a path. */
static bool is_growing(const struct vg_map *map)
{
	return strcmp(map->path, "[heap]") == 0 || strcmp(map->path, "[stack]") == 0;
}

static bool is_code(const struct vg_map *map)
{
	return map->executable && vg_map_is_file(map);
}

static struct vg_error *read_code(struct snapshot *snapshot, int memory)
{
	for (size_t i = 0; i < snapshot->maps.count; i++) {
		const struct vg_map *map = &snapshot->maps.maps[i];
		size_t bytes = map->end - map->start;

		if (!is_code(map))
			continue;
		snapshot->code[i] = malloc(bytes);
		if (!snapshot->code[i] ||
		    pread(memory, snapshot->code[i], bytes, (off_t)map->start) != (ssize_t)bytes)
			return vg_error_errno(VG_FAILED, errno, "cannot read the code of %s",
					      map->path);
	}
	return NULL;
}

struct vg_error *snapshot_take(const struct live *live, struct snapshot **result)
{
	_cleanup_(snapshot_cleanup) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	_cleanup_close_ int memory = -1;
	char path[64];

	if (!snapshot)
		return vg_error_new(VG_FAILED, "out of memory");
	snprintf(path, sizeof(path), "/proc/%d/mem", live->pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open %s", path);
	VG_TRY(vg_maps_read(live->pid, &snapshot->maps));
	snapshot->code = calloc(snapshot->maps.count, sizeof(*snapshot->code));
	if (!snapshot->code)
		return vg_error_new(VG_FAILED, "out of memory");
	VG_TRY(read_code(snapshot, memory));
	*result = vg_take(snapshot);
	return NULL;
}

static bool is_same_mapping(const struct vg_map *a, const struct vg_map *b)
{
	if (is_growing(a) && is_growing(b))
		return strcmp(a->path, b->path) == 0;
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->readable == b->readable && a->writable == b->writable &&
	       a->executable == b->executable && a->shared == b->shared &&
	       strcmp(a->path, b->path) == 0;
}

static struct vg_error *compare_code(const struct snapshot *before, const struct snapshot *after,
				     size_t i)
{
	const struct vg_map *map = &before->maps.maps[i];

	if (!before->code[i])
		return NULL;
	for (uint64_t byte = 0; byte < map->end - map->start; byte++)
		if (before->code[i][byte] != after->code[i][byte])
			return vg_error_new(VG_FAILED,
					    "the byte of code at %s+0x%lx was 0x%02x and is 0x%02x",
					    map->path, (unsigned long)(map->offset + byte),
					    before->code[i][byte], after->code[i][byte]);
	return NULL;
}

static struct vg_error *mapping_error(const struct vg_map *map, const char *what)
{
	return vg_error_new(VG_FAILED, "the mapping 0x%lx-0x%lx %c%c%c %s %s",
			    (unsigned long)map->start, (unsigned long)map->end,
			    map->readable ? 'r' : '-', map->writable ? 'w' : '-',
			    map->executable ? 'x' : '-', map->path, what);
}

static bool is_new_code(const struct snapshot *before, const struct vg_map *map)
{
	if (!map->executable || map->shared || (*map->path && *map->path != '['))
		return false;
	for (size_t i = 0; i < before->maps.count; i++)
		if (is_same_mapping(&before->maps.maps[i], map))
			return false;
	return true;
}

void snapshot_leave_out_new_code(const struct snapshot *before, struct snapshot *after)
{
	size_t kept = 0;

	for (size_t i = 0; i < after->maps.count; i++) {
		if (is_new_code(before, &after->maps.maps[i])) {
			free(after->code[i]);
			continue;
		}
		after->code[kept] = after->code[i];
		after->maps.maps[kept++] = after->maps.maps[i];
	}
	after->maps.count = kept;
}

struct vg_error *snapshot_compare(const struct snapshot *before, const struct snapshot *after)
{
	size_t i;

	for (i = 0; i < before->maps.count && i < after->maps.count; i++) {
		if (!is_same_mapping(&before->maps.maps[i], &after->maps.maps[i]))
			return mapping_error(&after->maps.maps[i], "was not there, or was another");
		VG_TRY(compare_code(before, after, i));
	}
	if (i < after->maps.count)
		return mapping_error(&after->maps.maps[i], "was not there");
	return i < before->maps.count ? mapping_error(&before->maps.maps[i], "is gone") : NULL;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; snapshot->code && i < snapshot->maps.count; i++)
		free(snapshot->code[i]);
	free(snapshot->code);
	vg_maps_clear(&snapshot->maps);
	free(snapshot);
}
