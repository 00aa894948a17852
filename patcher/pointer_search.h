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

/* Both ends count. */
struct vg_pointer_range {
	uint64_t first, last;
};

struct vg_pointer_search {
	const struct vg_memory *memory;
	const struct vg_maps *maps;
	pid_t tid; /* a thread that is alive, to ask about pages by */
	const struct vg_pointer_range *ranges;
	size_t range_count;
	bool has_guard;
	uint64_t guard;
	/*
	 * Target running: nobody knows which part of a stack is dead, so no stack is searched. What
	 * is found is there; that nothing is found says nothing.
	 */
	bool skip_stacks;
	/* Target stopped: of all threads and suspended coroutines. */
	const uint64_t *stack_pointers;
	size_t stack_pointer_count;

	/* What it found: */
	uint64_t found;	     /* address of a word that points into a range; 0 = none */
	uint64_t unreadable; /* address of a page that could not be read, 0 = none */
	uint64_t left_out;   /* bytes in mappings that are too large */
};

VG_MUST_CHECK struct vg_error *vg_pointer_search(struct vg_pointer_search *search);
/* The same in bytes that were read from elsewhere: registers. */
bool vg_pointer_search_bytes(const struct vg_pointer_search *search, const void *bytes,
			     size_t count);

#endif
