/* SPDX-License-Identifier: MIT */
#include "common/process_maps.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/process_maps_query.h"
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

/* Takes a number and the character behind it. A stop reads thousands of these lines. */
static bool take_number(const char **at, int base, char behind, uint64_t *value)
{
	char *end;

	/* strtoull would take blanks and a sign. */
	if (!isxdigit((unsigned char)**at))
		return false;
	errno = 0;
	*value = strtoull(*at, &end, base);
	if (errno || *end != behind)
		return false;
	*at = end + 1;
	return true;
}

static bool take_permissions(const char **at, struct vg_map *map)
{
	if (strcspn(*at, " ") != 4 || (*at)[4] != ' ')
		return false;
	parse_permissions(*at, map);
	*at += 5;
	return true;
}

static bool take_device(const char **at, struct vg_map *map)
{
	uint64_t major_number, minor_number;

	if (!take_number(at, 16, ':', &major_number) || !take_number(at, 16, ' ', &minor_number))
		return false;
	map->device_major = (uint32_t)major_number;
	map->device_minor = (uint32_t)minor_number;
	return true;
}

/* "start-end perms offset major:minor inode      path", as proc(5) has it; path may be missing. */
static bool take_fields(const char *line, struct vg_map *map)
{
	const char *at = line;

	*map = (struct vg_map){0};
	if (!take_number(&at, 16, '-', &map->start) || !take_number(&at, 16, ' ', &map->end) ||
	    map->end <= map->start || !take_permissions(&at, map) ||
	    !take_number(&at, 16, ' ', &map->offset) || !take_device(&at, map))
		return false;
	if (!take_number(&at, 10, ' ', &map->inode)) {
		if (!take_number(&at, 10, '\0', &map->inode))
			return false;
		at--;
	}
	map->path = strdup(at + strspn(at, " "));
	return map->path;
}

static bool parse_line(const char *line, size_t length, struct vg_map *map)
{
	_cleanup_free_ char *copy = strndup(line, length);

	if (!copy || !take_fields(copy, map))
		return false;
	map->deleted = take_deleted_mark(map->path);
	return true;
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

struct vg_error *vg_maps_file_open(pid_t pid, struct vg_maps_file *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	*file = (struct vg_maps_file){.fd = open(path, O_RDONLY | O_CLOEXEC)};
	return file->fd < 0 ? vg_error_errno(VG_FAILED, errno, "cannot open %s", path) : NULL;
}

/* Room for both texts; what is new of it is touched at once, so that the next reading need not. */
static bool make_room(struct vg_maps_file *file, size_t room)
{
	char *text = realloc(file->text, room), *spare;

	if (text)
		file->text = text;
	spare = text ? realloc(file->spare, room) : NULL;
	if (!spare)
		return false;
	file->spare = spare;
	memset(file->text + file->room, 0, room - file->room);
	memset(file->spare + file->room, 0, room - file->room);
	file->room = room;
	return true;
}

static struct vg_error *read_spare(struct vg_maps_file *file)
{
	size_t used = 0;

	for (;;) {
		if (used + 1 >= file->room && !make_room(file, 2 * file->room + 8192))
			return vg_error_no_memory();
		ssize_t got =
			pread(file->fd, file->spare + used, file->room - used - 1, (off_t)used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vg_error_errno(VG_FAILED, errno,
					      "cannot read the mappings of the target");
		if (got == 0)
			break;
		used += (size_t)got;
	}
	file->spare[used] = '\0';
	return NULL;
}

struct vg_error *vg_maps_file_read(struct vg_maps_file *file)
{
	char *text;

	VG_TRY(read_spare(file));
	if (strcmp(file->spare, file->text) == 0)
		return NULL;
	vg_maps_clear(&file->before);
	file->before = file->maps;
	file->maps = (struct vg_maps){0};
	file->changes++;
	file->text[0] = '\0';
	VG_TRY(vg_maps_parse(file->spare, &file->maps));
	text = file->text;
	file->text = file->spare;
	file->spare = text;
	return NULL;
}

bool vg_maps_file_is_unchanged(struct vg_maps_file *file)
{
	struct vg_error *error;
	bool same;

	if (vg_maps_query(file->fd, &file->maps, &same))
		return same;
	error = read_spare(file);
	same = !error && strcmp(file->spare, file->text) == 0;
	vg_error_free(error);
	return same;
}

void vg_maps_file_close(struct vg_maps_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->text);
	free(file->spare);
	vg_maps_clear(&file->maps);
	vg_maps_clear(&file->before);
	*file = VG_MAPS_FILE_NONE;
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
