/* SPDX-License-Identifier: MIT */
#include "vmm/bus.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static bool is_overlapping(const struct bus_region *region, uint64_t base, uint64_t size)
{
	return base < region->base + region->size && region->base < base + size;
}

/* The regions are ours, not the guest's: a collision is a mistake in this program. */
void bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct device_ops *ops,
	     void *device)
{
	assert(bus->count < BUS_REGIONS_MAX);
	for (unsigned i = 0; i < bus->count; i++)
		assert(!is_overlapping(&bus->regions[i], base, size));
	bus->regions[bus->count++] =
		(struct bus_region){.base = base, .size = size, .ops = ops, .device = device};
}

static const struct bus_region *region_of(const struct bus *bus, uint64_t address, unsigned size)
{
	for (unsigned i = 0; i < bus->count; i++) {
		const struct bus_region *region = &bus->regions[i];

		if (address >= region->base && address - region->base < region->size)
			return size <= region->size - (address - region->base) ? region : NULL;
	}
	return NULL;
}

void bus_read(const struct bus *bus, uint64_t address, uint8_t *data, unsigned size)
{
	const struct bus_region *region = region_of(bus, address, size);

	if (region)
		region->ops->read(region->device, address - region->base, data, size);
	else
		memset(data, 0xff, size);
}

void bus_write(const struct bus *bus, uint64_t address, const uint8_t *data, unsigned size)
{
	const struct bus_region *region = region_of(bus, address, size);

	if (region)
		region->ops->write(region->device, address - region->base, data, size);
}
