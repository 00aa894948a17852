/* SPDX-License-Identifier: MIT */
/*
 * Which memory is a thread's own stack, and what of it is there.
 *
 * The main thread has the mapping that the kernel names [stack]. Any other thread has its thread
 * control block, at fs_base, at the top of its own stack: glibc, musl and others put it there, also
 * on a stack that the program brought (pthread_attr_setstack). What lies above the block in the
 * same mapping is not the thread's stack.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "patcher/stack_memory.h"
#include "patcher/stack_thread.h"

#define PAGE 4096

static const struct vg_map *main_stack(const struct vg_maps *maps)
{
	for (size_t i = maps->count; i-- > 0;)
		if (!strcmp(maps->maps[i].path, "[stack]"))
			return &maps->maps[i];
	return NULL;
}

/* pthread_create puts a page that nobody can touch below the stacks that it makes. */
static bool has_guard(const struct vg_maps *maps, const struct vg_map *map)
{
	return map > maps->maps && map[-1].end == map->start && !map[-1].readable &&
	       !map[-1].writable;
}

struct stack_own stack_own_of(const struct vg_stacks *stacks, pid_t tid, uint64_t fs_base)
{
	const struct vg_maps *maps = &stacks->modules.file.maps;
	bool is_main = tid == stacks->pid;
	const struct vg_map *map = is_main ? main_stack(maps) : vg_maps_find(maps, fs_base);

	if (!map || !map->writable)
		return (struct stack_own){.is_known = false};
	return (struct stack_own){
		.is_known = true,
		.is_alone = is_main || has_guard(maps, map),
		.start = map->start,
		.end = is_main ? map->end : fs_base & ~UINT64_C(7),
	};
}

/*
 * gcc -fsplit-stack keeps the limit of the piece that is in use here, in a word that glibc leaves
 * to it (__private_ss of sysdeps/x86_64/nptl/tls.h). Programs without leave it zero.
 */
#define SPLIT_STACK_LIMIT 0x70

bool stack_is_split(pid_t tid, uint64_t fs_base)
{
	uint64_t limit;

	return !fs_base || !stack_read(tid, fs_base + SPLIT_STACK_LIMIT, &limit, sizeof(limit)) ||
	       limit;
}

#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)

/*
 * A stack is mostly never-touched pages, which hold zeros, and reading them would make the kernel
 * allocate page tables for them: the pagemap (Documentation/admin-guide/mm/pagemap.rst) tells which
 * pages have content.
 */
static bool scan_pages(const struct stack_ranges *ranges, pid_t tid, int pagemap, uint64_t start,
		       uint64_t end, struct stack_hits *hits)
{
	uint64_t entries[512];

	for (uint64_t at = start & -(uint64_t)PAGE; at < end;) {
		size_t count = (end - at + PAGE - 1) / PAGE;

		if (count > 512)
			count = 512;
		if (pread(pagemap, entries, 8 * count, (off_t)(at / PAGE * 8)) !=
		    (ssize_t)(8 * count))
			return false;
		for (size_t i = 0; i < count; i++, at += PAGE) {
			uint64_t from = at < start ? start : at;
			uint64_t to = at + PAGE < end ? at + PAGE : end;

			if ((entries[i] & (PRESENT | SWAPPED)) &&
			    !stack_scan_region(ranges, tid, from, to, hits))
				return false;
		}
	}
	return true;
}

/* Held open as long as the target cannot get another memory by an exec: to the next prepare. */
static int pagemap_of(struct vg_stacks *stacks, pid_t tid)
{
	char path[64];

	if (stacks->pagemap >= 0)
		return stacks->pagemap;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", tid);
	stacks->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	return stacks->pagemap;
}

void stack_pagemap_forget(struct vg_stacks *stacks)
{
	if (stacks->pagemap >= 0)
		close(stacks->pagemap);
	stacks->pagemap = -1;
}

bool stack_scan_resident(struct vg_stacks *stacks, const struct stack_ranges *ranges, pid_t tid,
			 uint64_t start, uint64_t end, struct stack_hits *hits)
{
	if (start >= end)
		return true;

	int pagemap = pagemap_of(stacks, tid);

	if (pagemap < 0)
		return stack_scan_region(ranges, tid, start, end, hits);
	return scan_pages(ranges, tid, pagemap, start, end, hits);
}
