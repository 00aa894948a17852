/* SPDX-License-Identifier: MIT */
/*
 * Which memory is a thread's own stack, and what of it is there.
 *
 * The main thread has the mapping that the kernel names [stack]. Any other thread has its thread
 * control block, at fs_base, at the top of its own stack: glibc, musl and others put it there, also
 * on a stack that the program brought (pthread_attr_setstack). What lies above the block in the
 * same mapping is not the thread's stack.
 */
#include <string.h>
#include <unistd.h>

#include "patcher/pages.h"
#include "patcher/stack_memory.h"
#include "patcher/stack_thread.h"

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

bool stack_is_split(const struct vg_memory *memory, uint64_t fs_base)
{
	uint64_t limit;

	return !fs_base ||
	       !stack_read(memory, fs_base + SPLIT_STACK_LIMIT, &limit, sizeof(limit)) || limit;
}

/* The pages of a stack that have content, as they come. */
struct stack_pages {
	const struct vg_memory *memory;
	const struct stack_ranges *ranges;
	uint64_t start, end; /* of the stack */
	struct stack_hits *hits;
	bool unreadable;
};

static void scan_run(void *context, uint64_t start, uint64_t end)
{
	struct stack_pages *pages = context;
	uint64_t from = start < pages->start ? pages->start : start;
	uint64_t to = end < pages->end ? end : pages->end;

	if (!stack_scan_region(pages->ranges, pages->memory, from, to, pages->hits))
		pages->unreadable = true;
}

/* Held open as long as the target cannot get another memory by an exec: to the next prepare. */
static int pagemap_of(struct vg_stacks *stacks)
{
	if (stacks->pagemap < 0)
		stacks->pagemap = vg_pages_open(stacks->pid);
	return stacks->pagemap;
}

void stack_pagemap_forget(struct vg_stacks *stacks)
{
	if (stacks->pagemap >= 0)
		close(stacks->pagemap);
	stacks->pagemap = -1;
}

/*
 * A stack is mostly never-touched pages, which hold zeros, and reading them would make the kernel
 * allocate page tables for them: the pagemap (Documentation/admin-guide/mm/pagemap.rst) tells which
 * pages have content.
 */
bool stack_scan_resident(struct vg_stacks *stacks, const struct stack_ranges *ranges,
			 uint64_t start, uint64_t end, struct stack_hits *hits)
{
	struct stack_pages pages = {stacks->memory, ranges, start, end, hits, false};

	if (start < end)
		vg_pages_list(pagemap_of(stacks), start & -VG_PAGE, (end + VG_PAGE - 1) & -VG_PAGE,
			      true, scan_run, &pages);
	return !pages.unreadable;
}
