/* SPDX-License-Identifier: MIT */
/*
 * The memory of a target, through /proc/PID/mem.
 *
 * Thread context: any. A running target may change what is read. Writes go through the page
 * protection (the kernel breaks copy-on-write for read-execute pages), so that no page need ever
 * be writable and executable.
 */
#ifndef PATCHER_MEMORY_H
#define PATCHER_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

struct vg_memory {
	pid_t pid;
	int fd; /* /proc/PID/mem, O_RDWR | O_CLOEXEC */
};

VG_MUST_CHECK struct vg_error *vg_memory_open(pid_t pid, struct vg_memory *memory);
void vg_memory_close(struct vg_memory *memory);
/* All or nothing: a short read or write is an error that names the address. */
VG_MUST_CHECK struct vg_error *vg_memory_read(const struct vg_memory *memory, uint64_t address,
					      void *buffer, size_t count);
VG_MUST_CHECK struct vg_error *vg_memory_write(const struct vg_memory *memory, uint64_t address,
					       const void *buffer, size_t count);
/* Reads what can be read from `address` on; returns the number of bytes (0: nothing). */
size_t vg_memory_read_some(const struct vg_memory *memory, uint64_t address, void *buffer,
			   size_t count);

#endif
