/* SPDX-License-Identifier: MIT */
/*
 * An address space of devices: port I/O or memory-mapped I/O. What no device claims reads as all
 * ones and swallows writes, as on a real board.
 *
 * Thread context: regions are added before the first vCPU runs and never change afterwards.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include "vmm/device.h"

#define BUS_REGIONS_MAX 32

struct bus_region {
	uint64_t base;
	uint64_t size;
	const struct device_ops *ops;
	void *device;
};

struct bus {
	unsigned count;
	struct bus_region regions[BUS_REGIONS_MAX];
};

void bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct device_ops *ops,
	     void *device);
void bus_read(const struct bus *bus, uint64_t address, uint8_t *data, unsigned size);
void bus_write(const struct bus *bus, uint64_t address, const uint8_t *data, unsigned size);

#endif
