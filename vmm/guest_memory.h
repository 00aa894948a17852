/* SPDX-License-Identifier: MIT */
/*
 * The guest's RAM and the one border that every guest address passes.
 *
 *   guest-physical                 host / --memory-file offset
 *   0 ... min(size, 3 GiB)         the same
 *   3 GiB ... 4 GiB                no RAM: local APIC, I/O APIC, virtio-mmio
 *   4 GiB ... 4 GiB + rest         3 GiB ...
 *
 * Thread context: after guest_memory_create() the map never changes, so any thread may look up
 * addresses. The bytes belong to the guest, which changes them at any time: who reads something
 * to check it reads it once, into a copy.
 */
#ifndef VMM_GUEST_MEMORY_H
#define VMM_GUEST_MEMORY_H

#include "vmm/error.h"

#include <stdbool.h>
#include <stdint.h>

#define GUEST_LOW_RAM_END    UINT64_C(0xc0000000)
#define GUEST_HIGH_RAM_START UINT64_C(0x100000000)
#define GUEST_MEMORY_MIN     (UINT64_C(2) << 20)

struct guest_region {
	uint64_t address; /* guest-physical */
	uint64_t size;	  /* bytes */
	uint8_t *host;
};

struct guest_memory {
	uint64_t size;
	uint8_t *host;
	unsigned region_count;
	struct guest_region regions[2];
	const char *new_file; /* to be removed if no guest comes to run; the caller's string */
};

/*
 * `file` NULL: private memory; else RAM is a shared mapping of that file, created or emptied. A
 * file that was created goes again with guest_memory_destroy(), unless it was kept.
 */
struct vmm_error *guest_memory_create(struct guest_memory *memory, uint64_t size,
				      const char *file) VMM_MUST_CHECK;
void guest_memory_keep_file(struct guest_memory *memory);
void guest_memory_destroy(struct guest_memory *memory);

/* Where the host has [address, address + length), or NULL unless all of it is RAM of one region. */
void *guest_memory_at(const struct guest_memory *memory, uint64_t address, uint64_t length);

/* Copies; false and nothing copied when the range is not all RAM. */
bool guest_memory_write(const struct guest_memory *memory, uint64_t address, const void *data,
			uint64_t length);

/* Where RAM below 4 GiB ends. */
uint64_t guest_memory_low_end(const struct guest_memory *memory);

#endif
