/* SPDX-License-Identifier: MIT */
/*
 * Reading the memory of stopped threads fast: one system call for what most threads have in use.
 *
 * Never by process_vm_readv(), which waits for a page that a userfaultfd holds back: the thread
 * that is to give it may be one of those that stand (a QEMU that is migrated to, in postcopy). A
 * read of /proc/PID/mem fails instead.
 */
#ifndef PATCHER_STACK_MEMORY_H
#define PATCHER_STACK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/memory.h"

/* What nearly every blocked thread has in use. */
#define STACK_WINDOW_BYTES 8192

/* A copy of the first bytes of a stack; reads inside it need no system call. */
struct stack_window {
	const struct vg_memory *memory;
	uint64_t start;
	size_t count;
	uint64_t words[STACK_WINDOW_BYTES / 8];
};

/* All of it, or false. */
bool stack_read(const struct vg_memory *memory, uint64_t address, void *buffer, size_t count);

/* Fills the window with [start, end), at most STACK_WINDOW_BYTES of it. A process that is gone is
 * VG_BUSY. */
VG_MUST_CHECK struct vg_error *stack_window_fill(struct stack_window *window,
						 const struct vg_memory *memory, uint64_t start,
						 uint64_t end);
/* A cfi_read_fn; the context is the window. */
bool stack_window_read(void *window, uint64_t address, void *buffer, size_t count);

#endif
