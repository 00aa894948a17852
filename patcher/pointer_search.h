/* SPDX-License-Identifier: MIT */
/*
 * Does anything in a target point into the memory of a patch that is out? What its new code stored
 * in live data (a callback, a string, the address of one of its variables) would dangle.
 *
 * Searched is private memory that was written (shared memory behind no device too) and is not code,
 * page by page of what has content: at every fourth byte, because packed structures hold pointers
 * there (struct epoll_event), and for what glibc mangles with the pointer guard (atexit, jmp_buf).
 * An address one past the end counts. Left out are mappings over 64 MiB that are neither the heap
 * nor a stack that is in use, as in the search for coroutines; the caller says so.
 *
 * Dead memory: what lies below the lowest stack pointer in a mapping that is a stack (the main
 * thread's, or one with a guard page below it), less the red zone. Return addresses stay there
 * until something overwrites them.
 *
 * To keep it short, a stop searches only what a survey with the target running leaves open: pages
 * that held a pointer then, and pages that were written since.
 *
 * What can't be seen: a pointer that the kernel alone holds (the data of an epoll event, a handler
 * of a signal), one that is encoded in another way, or compressed.
 */
#ifndef PATCHER_POINTER_SEARCH_H
#define PATCHER_POINTER_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

#include "common/process_maps.h"
#include "patcher/memory.h"
#include "patcher/suspects.h"

/* Both ends count. */
struct vg_pointer_range {
	uint64_t first, last;
};

/* For what is read: 64 pages, and half a word behind them. */
#define VG_POINTER_SEARCH_BYTES (64 * 4096 + 4)

struct vg_pointer_search {
	const struct vg_memory *memory;
	const struct vg_maps *maps;
	int pagemap;	       /* vg_pages_open() */
	uint8_t *buffer;       /* VG_POINTER_SEARCH_BYTES; the caller's */
	bool may_be_held_back; /* pages: see pieces.h */
	const struct vg_pointer_range *ranges;
	size_t range_count;
	bool has_guard;
	uint64_t guard;
	/* A survey fills it; a search looks there, whatever was written since. */
	struct vg_suspects *suspects;
	/* Besides suspects only pages that were written since the survey (written.h). */
	bool only_written;
	/* Of all mappings that coroutine_is_searched() names, or NULL: the kernel is asked. */
	const struct vg_suspects *written;
	uint64_t most; /* bytes to read, 0 = whatever it takes */
	/* Target stopped: of all threads and suspended coroutines; gets sorted. */
	uint64_t *stack_pointers;
	size_t stack_pointer_count;

	/* What it found: */
	uint64_t found;	     /* address of a word that points into a range; 0 = none */
	size_t found_range;  /* into which */
	uint64_t unreadable; /* address of a page that could not be read, 0 = none */
	uint64_t bytes;	     /* that were read */
	uint64_t left_out;   /* bytes in mappings that are too large */
	bool unfinished;     /* there was more than `most` */

	struct vg_pointer_summary {
		uint64_t low, span; /* all ranges lie between the two */
		/* All ranges, by the upper halves of their addresses: lower halves from, to. */
		struct vg_pointer_half {
			uint32_t upper, first, last;
		} halves[8];
		size_t half_count; /* 0 = too many */
	} summary;		   /* of the ranges; the search's own */
};

/*
 * Target running. Nobody knows yet which part of a stack is dead, and what is found may be gone
 * when the target is stopped: `found` is the first word that is on no stack, and all pages with
 * such words, or that could not be read, become suspects.
 */
VG_MUST_CHECK struct vg_error *vg_pointer_survey(struct vg_pointer_search *search);
/* The same of some pages once more, which leaves `again` empty. What was suspect stays so. */
VG_MUST_CHECK struct vg_error *vg_pointer_survey_again(struct vg_pointer_search *search,
						       struct vg_suspects *again);
/* Target stopped. */
void vg_pointer_search(struct vg_pointer_search *search);
/* The same in bytes that were read from elsewhere: registers. Sets found_range. */
bool vg_pointer_search_bytes(struct vg_pointer_search *search, const void *bytes, size_t count);

#endif
