/* SPDX-License-Identifier: MIT */
/*
 * Reading the memory of stopped threads fast: one system call for what most threads have in use.
 *
 * process_vm_readv() is asked with the id of the thread that is looked at: the group leader may
 * have exited, and then has no memory any more.
 */
#ifndef PATCHER_STACK_MEMORY_H
#define PATCHER_STACK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

/* What nearly every blocked thread has in use. */
#define STACK_WINDOW_BYTES 8192

/* A copy of the first bytes of a stack; reads inside it need no system call. */
struct stack_window {
	pid_t tid;
	uint64_t start;
	size_t count;
	uint64_t words[STACK_WINDOW_BYTES / 8];
};

/* Bytes read from `address` on, stopping at the first page that cannot be read. */
size_t stack_read_some(pid_t tid, uint64_t address, void *buffer, size_t count);
bool stack_read(pid_t tid, uint64_t address, void *buffer, size_t count);

/* Fills the window with [start, end), at most STACK_WINDOW_BYTES of it. A thread that is gone is
 * VG_BUSY. */
VG_MUST_CHECK struct vg_error *stack_window_fill(struct stack_window *window, pid_t tid,
						 uint64_t start, uint64_t end);
/* A cfi_read_fn; the context is the window. */
bool stack_window_read(void *window, uint64_t address, void *buffer, size_t count);

#endif
