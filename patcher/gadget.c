/* SPDX-License-Identifier: MIT */
#include "patcher/gadget.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define CHUNK	(256u << 10)
#define LONGEST 9 /* bytes of the longest pattern */

static const uint8_t syscall_ret[] = {0x0f, 0x05, 0xc3};
static const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
static const uint8_t short_restorer[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};

static void find(const uint8_t *bytes, size_t count, uint64_t address, const uint8_t *pattern,
		 size_t length, uint64_t *found)
{
	const uint8_t *hit = *found ? NULL : memmem(bytes, count, pattern, length);

	if (hit)
		*found = address + (uint64_t)(hit - bytes);
}

void vg_gadgets_scan(const uint8_t *bytes, size_t count, uint64_t address,
		     struct vg_gadgets *gadgets)
{
	find(bytes, count, address, syscall_ret, sizeof(syscall_ret), &gadgets->system_call);
	if (gadgets->sigreturn)
		return;
	find(bytes, count, address, restorer, sizeof(restorer), &gadgets->sigreturn);
	gadgets->sigreturn_end = gadgets->sigreturn + sizeof(restorer);
	if (gadgets->sigreturn)
		return;
	find(bytes, count, address, short_restorer, sizeof(short_restorer), &gadgets->sigreturn);
	gadgets->sigreturn_end = gadgets->sigreturn + sizeof(short_restorer);
}

static int is_complete(const struct vg_gadgets *gadgets)
{
	return gadgets->system_call && gadgets->sigreturn;
}

static void scan_map(const struct vg_memory *memory, const struct vg_map *map, uint8_t *buffer,
		     struct vg_gadgets *gadgets)
{
	for (uint64_t at = map->start; at < map->end && !is_complete(gadgets);) {
		size_t want = map->end - at < CHUNK ? (size_t)(map->end - at) : CHUNK;
		size_t got = vg_memory_read_some(memory, at, buffer, want);

		vg_gadgets_scan(buffer, got, at, gadgets);
		if (got < want || at + got >= map->end)
			return;
		at += got - LONGEST; /* a pattern may lie across two chunks */
	}
}

/* Order of the search: lower goes first; negative: not searched. */
static int rank(const struct vg_map *map)
{
	if (!map->executable || map->shared || map->writable)
		return -1;
	if (strcmp(map->path, "[vdso]") == 0)
		return 0;
	if (!vg_map_is_file(map))
		return -1;
	return strstr(map->path, "/libc.so") || strstr(map->path, "/libc-") ||
			       strstr(map->path, "/ld-musl")
		       ? 1
		       : 2;
}

struct vg_error *vg_gadgets_find(const struct vg_memory *memory, const struct vg_maps *maps,
				 struct vg_gadgets *gadgets)
{
	_cleanup_free_ uint8_t *buffer = malloc(CHUNK);

	*gadgets = (struct vg_gadgets){0};
	if (!buffer)
		return vg_error_new(VG_FAILED, "out of memory");
	for (int wanted = 0; wanted <= 2; wanted++)
		for (size_t i = 0; i < maps->count && !is_complete(gadgets); i++)
			if (rank(&maps->maps[i]) == wanted)
				scan_map(memory, &maps->maps[i], buffer, gadgets);
	if (is_complete(gadgets))
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "process %d has no %s instructions that an injected system call could "
			    "run on",
			    memory->pid, gadgets->system_call ? "sigreturn" : "`syscall; ret`");
}
