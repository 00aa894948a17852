/* SPDX-License-Identifier: MIT */
#include "common/process_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"

#define DELETED " (deleted)"

static void parse_permissions(const char *text, struct vg_map *map)
{
	map->readable = text[0] == 'r';
	map->writable = text[1] == 'w';
	map->executable = text[2] == 'x';
	map->shared = text[3] == 's';
}

/* A name may itself end in " (deleted)"; the kernel's mark is then the second of them. */
static bool take_deleted_mark(char *path)
{
	size_t length = strlen(path), mark = strlen(DELETED);

	if (path[0] != '/' || length <= mark || strcmp(path + length - mark, DELETED) != 0)
		return false;
	path[length - mark] = '\0';
	return true;
}

/* "start-end perms offset major:minor inode      path", as proc(5) has it. */
static bool parse_line(const char *line, size_t length, struct vg_map *map)
{
	char permissions[5];
	unsigned long start, end, offset, inode;
	unsigned int major_number, minor_number;
	int consumed = 0;
	_cleanup_free_ char *copy = strndup(line, length);

	if (!copy)
		return false;
	if (sscanf(copy, "%lx-%lx %4s %lx %x:%x %lu%n", &start, &end, permissions, &offset,
		   &major_number, &minor_number, &inode, &consumed) != 7 ||
	    strlen(permissions) != 4 || end <= start)
		return false;
	*map = (struct vg_map){
		.start = start,
		.end = end,
		.offset = offset,
		.inode = inode,
		.device_major = major_number,
		.device_minor = minor_number,
	};
	parse_permissions(permissions, map);
	map->path = strdup(copy + consumed + strspn(copy + consumed, " "));
	if (map->path)
		map->deleted = take_deleted_mark(map->path);
	return map->path;
}

static struct vg_map *add_map(struct vg_maps *maps)
{
	/* Grows at powers of two. */
	if ((maps->count & (maps->count - 1)) == 0) {
		size_t room = maps->count ? 2 * maps->count : 1;
		struct vg_map *grown = reallocarray(maps->maps, room, sizeof(*grown));

		if (!grown)
			return NULL;
		maps->maps = grown;
	}
	return &maps->maps[maps->count];
}

struct vg_error *vg_maps_parse(const char *text, struct vg_maps *maps)
{
	*maps = (struct vg_maps){0};
	while (*text) {
		size_t length = strcspn(text, "\n");
		struct vg_map *map = add_map(maps);

		if (!map || !parse_line(text, length, map)) {
			vg_maps_clear(maps);
			return vg_error_new(VG_FAILED, "cannot parse the mapping \"%.*s\"",
					    (int)length, text);
		}
		maps->count++;
		text += length + (text[length] == '\n');
	}
	return NULL;
}

struct vg_error *vg_maps_read(pid_t pid, struct vg_maps *maps)
{
	char path[64];
	_cleanup_free_ char *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	VG_TRY(vg_text_file_read(path, &text, NULL));
	return vg_maps_parse(text, maps);
}

void vg_maps_clear(struct vg_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->maps[i].path);
	free(maps->maps);
	*maps = (struct vg_maps){0};
}

const struct vg_map *vg_maps_find(const struct vg_maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct vg_map *map = &maps->maps[middle];

		if (address < map->start)
			high = middle;
		else if (address >= map->end)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}

bool vg_map_is_file(const struct vg_map *map)
{
	return map->path[0] == '/';
}

bool vg_map_is_anonymous(const struct vg_map *map)
{
	return !map->shared && (map->path[0] == '\0' || strncmp(map->path, "[anon:", 6) == 0);
}
