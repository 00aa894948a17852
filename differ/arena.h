/* SPDX-License-Identifier: MIT */
/*
 * Memory of one build: everything that the object half of the differ learns lives until the build
 * is over, so nothing in it has an owner of its own. Each piece is an allocation for itself, which
 * keeps the sanitizers' eyes on its bounds.
 */
#ifndef DIFFER_ARENA_H
#define DIFFER_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

struct vg_arena {
	struct vg_arena_piece *pieces;
};

void vg_arena_clear(struct vg_arena *arena);
/* Zeroed memory, or NULL. A count that overflows is NULL. */
void *vg_arena_alloc(struct vg_arena *arena, size_t count, size_t size);
char *vg_arena_strdup(struct vg_arena *arena, const char *string);
char *vg_arena_strndup(struct vg_arena *arena, const char *string, size_t length);
char *vg_arena_printf(struct vg_arena *arena, const char *format, ...) VG_PRINTF(2, 3);

/* "LIST, ITEM" for people; the shorter of both where memory is short. `list` may be "". */
const char *vg_arena_enumerate(struct vg_arena *arena, const char *list, const char *item);

/* A list that grows: `VG_LIST(struct item *) items;`. */
#define VG_LIST(type)                                                                              \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t count, room;                                                                \
	}

bool vg_list_grow(struct vg_arena *arena, void *at, size_t count, size_t *room, size_t size);

/* Appends; false if there is no memory. */
#define vg_list_push(arena, list, value)                                                           \
	(vg_list_grow((arena), &(list)->at, (list)->count, &(list)->room, sizeof(*(list)->at)) &&  \
	 ((list)->at[(list)->count++] = (value), true))

#endif
