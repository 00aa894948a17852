/* SPDX-License-Identifier: MIT */
/*
 * What a device tells the machine about itself: a table of functions and where its state is.
 *
 * A device is one struct with its wiring (locks, descriptors, lines) and one state struct that
 * begins with its version and holds all that a guest could notice. The machine owns every device;
 * nothing registers itself.
 *
 * Thread context: `read` and `write` run in any vCPU thread, several at once; a device locks
 * itself. `reset` runs while no vCPU does.
 */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct device_ops {
	const char *name;
	uint32_t state_version; /* the state struct's first member holds the same number */
	size_t state_offset;	/* of the state struct in the device's struct */
	size_t state_size;
	void (*reset)(void *device);
	/* `size` is 1, 2, 4 or 8, and offset + size never passes the end of the region. */
	void (*read)(void *device, uint64_t offset, uint8_t *data, unsigned size);
	void (*write)(void *device, uint64_t offset, const uint8_t *data, unsigned size);
};

/* A device's bytes as the little-endian number that a bus carries. */
static inline uint64_t device_value(const uint8_t *data, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)data[i] << (8 * i);
	return value;
}

static inline void device_answer(uint8_t *data, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		data[i] = (uint8_t)(value >> (8 * i));
}

#endif
