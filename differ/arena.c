/* SPDX-License-Identifier: MIT */
#include "differ/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vg_arena_piece {
	struct vg_arena_piece *next;
	size_t bytes;
	max_align_t data[];
};

void vg_arena_clear(struct vg_arena *arena)
{
	while (arena->pieces) {
		struct vg_arena_piece *piece = arena->pieces;

		arena->pieces = piece->next;
		free(piece);
	}
}

void *vg_arena_alloc(struct vg_arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(struct vg_arena_piece), &bytes))
		return NULL;

	struct vg_arena_piece *piece = calloc(1, bytes);

	if (!piece)
		return NULL;
	piece->bytes = bytes;
	piece->next = arena->pieces;
	arena->pieces = piece;
	return piece->data;
}

char *vg_arena_strndup(struct vg_arena *arena, const char *string, size_t length)
{
	char *copy = vg_arena_alloc(arena, length + 1, 1);

	if (copy)
		memcpy(copy, string, length);
	return copy;
}

char *vg_arena_strdup(struct vg_arena *arena, const char *string)
{
	return vg_arena_strndup(arena, string, strlen(string));
}

char *vg_arena_printf(struct vg_arena *arena, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return NULL;

	char *copy = vg_arena_strndup(arena, text, (size_t)length);

	free(text);
	return copy;
}

const char *vg_arena_enumerate(struct vg_arena *arena, const char *list, const char *item)
{
	const char *both = item;

	if (*list && item)
		both = vg_arena_printf(arena, "%s, %s", list, item);
	return both ? both : list;
}

bool vg_list_grow(struct vg_arena *arena, void *at, size_t count, size_t *room, size_t size)
{
	void **list = at;

	if (count < *room)
		return true;

	size_t larger = *room ? *room * 2 : 8;
	void *copy = vg_arena_alloc(arena, larger, size);

	if (!copy)
		return false;
	if (count)
		memcpy(copy, *list, count * size);
	*list = copy;
	*room = larger;
	return true;
}
