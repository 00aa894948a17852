/* SPDX-License-Identifier: MIT */
/* The search through memory; what is looked for is told in coroutine.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/coroutine.h"
#include "patcher/stack_memory.h"

#define PAGE	    UINT64_C(4096)
#define CHUNK_BYTES (256 * 1024)
#define PRESENT	    (UINT64_C(1) << 63)
#define SWAPPED	    (UINT64_C(1) << 62)

#define MANGLED_BITS UINT64_C(0x1ffff)

/* uc_mcontext.fpregs lies here, and points there. */
#define SELF_AT	 offsetof(ucontext_t, uc_mcontext.fpregs)
#define SELF_GAP (offsetof(ucontext_t, __fpregs_mem) - SELF_AT)
/* The last word of a jmp_buf, rip; rsp is the one before. */
#define RIP_AT 56

struct sweep {
	struct coroutine_search *search;
	int pagemap;
	size_t room;
	bool no_memory;
	bool after_rsp; /* the last word looked at could be a mangled rsp */
	uint64_t words[CHUNK_BYTES / 8];
};

static void add(struct sweep *sweep, uint64_t address, enum coroutine_kind kind)
{
	struct coroutine_search *search = sweep->search;
	struct coroutine_context context;

	if (!coroutine_read(search, address, kind, &context))
		return;
	if (search->count == sweep->room) {
		size_t room = sweep->room ? 2 * sweep->room : 64;
		struct coroutine_context *grown =
			reallocarray(search->contexts, room, sizeof(*grown));

		if (!grown) {
			sweep->no_memory = true;
			return;
		}
		search->contexts = grown;
		sweep->room = room;
	}
	search->contexts[search->count++] = context;
}

static void look_at_words(struct sweep *sweep, size_t count, uint64_t address)
{
	uint64_t mark = sweep->search->guard >> 47;
	bool after_rsp = sweep->after_rsp;

	for (size_t i = 0; i < count; i++, address += 8) {
		uint64_t word = sweep->words[i];
		bool is_mangled = (word & MANGLED_BITS) == mark;

		if (is_mangled && after_rsp)
			add(sweep, address - RIP_AT, COROUTINE_JMP_BUF);
		if (word == address + SELF_GAP)
			add(sweep, address - SELF_AT, COROUTINE_UCONTEXT);
		after_rsp = is_mangled;
	}
	sweep->after_rsp = after_rsp;
}

static void look_at_run(struct sweep *sweep, uint64_t start, uint64_t end)
{
	while (start < end) {
		size_t want = end - start < CHUNK_BYTES ? end - start : CHUNK_BYTES;
		size_t got = stack_read_some(sweep->search->tid, start, sweep->words, want);

		look_at_words(sweep, got / 8, start);
		sweep->search->bytes += got;
		if (got != want) {
			if (!sweep->search->unreadable)
				sweep->search->unreadable = start + got;
			return;
		}
		start += got;
	}
}

/* Calls look_at_run() for each run of pages that have content. */
static void look_at_pages(struct sweep *sweep, uint64_t start, uint64_t end)
{
	uint64_t entries[512], run = 0;

	sweep->after_rsp = false;
	for (uint64_t at = start; at < end;) {
		size_t count = (end - at) / PAGE < 512 ? (end - at) / PAGE : 512;

		/* Without an answer every page has to be taken for one with content. */
		if (pread(sweep->pagemap, entries, 8 * count, (off_t)(at / PAGE * 8)) !=
		    (ssize_t)(8 * count))
			memset(entries, 0xff, sizeof(entries));
		for (size_t i = 0; i < count; i++, at += PAGE) {
			bool has_content = entries[i] & (PRESENT | SWAPPED);

			if (has_content && !run)
				run = at;
			if (!has_content && run) {
				look_at_run(sweep, run, at);
				run = 0;
			}
		}
	}
	if (run)
		look_at_run(sweep, run, end);
}

static bool can_hold_contexts(const struct vg_map *map)
{
	return map->readable && map->writable && !map->shared;
}

static void look_at_maps(struct sweep *sweep)
{
	const struct vg_maps *maps = sweep->search->maps;

	for (size_t i = 0; i < maps->count; i++) {
		const struct vg_map *map = &maps->maps[i];

		if (!can_hold_contexts(map))
			continue;
		if (map->end - map->start > COROUTINE_MAP_MAX)
			sweep->search->left_out += map->end - map->start;
		else
			look_at_pages(sweep, map->start, map->end);
	}
}

struct vg_error *coroutine_search(struct coroutine_search *search)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));
	char path[64];
	bool failed;

	if (!sweep)
		return vg_error_no_memory();
	coroutine_search_clear(search);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", search->tid);
	sweep->search = search;
	sweep->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	look_at_maps(sweep);
	if (sweep->pagemap >= 0)
		close(sweep->pagemap);
	failed = sweep->no_memory;
	free(sweep);
	return failed ? vg_error_no_memory() : NULL;
}

void coroutine_search_clear(struct coroutine_search *search)
{
	free(search->contexts);
	search->contexts = NULL;
	search->count = 0;
	search->bytes = search->left_out = search->unreadable = 0;
}
