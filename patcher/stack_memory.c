/* SPDX-License-Identifier: MIT */
#include "patcher/stack_memory.h"

#include <errno.h>
#include <string.h>

bool stack_read(const struct vg_memory *memory, uint64_t address, void *buffer, size_t count)
{
	return vg_memory_read_some(memory, address, buffer, count) == count;
}

struct vg_error *stack_window_fill(struct stack_window *window, const struct vg_memory *memory,
				   uint64_t start, uint64_t end)
{
	size_t count = end - start;

	if (count > STACK_WINDOW_BYTES)
		count = STACK_WINDOW_BYTES;
	window->memory = memory;
	window->start = start;
	errno = 0;
	window->count = vg_memory_read_some(memory, start, window->words, count) & ~(size_t)7;
	/* What is not there to be read is no failure: the caller sees it in `count`. */
	if (count && !window->count && !errno)
		return vg_error_new(VG_BUSY, "process %d ended while a stack was read; try again",
				    memory->pid);
	return NULL;
}

bool stack_window_read(void *context, uint64_t address, void *buffer, size_t count)
{
	const struct stack_window *window = context;

	if (address >= window->start && address - window->start <= window->count &&
	    count <= window->count - (address - window->start)) {
		memcpy(buffer, (const uint8_t *)window->words + (address - window->start), count);
		return true;
	}
	return stack_read(window->memory, address, buffer, count);
}
