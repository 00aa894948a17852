/* SPDX-License-Identifier: MIT */
/*
 * A virtio device of the PCI bus and its first queue, driven through qtest. Virtual I/O Device 1.2,
 * section 2.7 (split queues), 3.1.1 (initialisation), 4.1.4 (structures; QEMU's have their places
 * in the BAR 4).
 */
#ifndef TESTS_QEMU_EFFECTS_VIRTIO_H
#define TESTS_QEMU_EFFECTS_VIRTIO_H

#include "tests/qemu/effects/effects.h"

#define VIRTIO_DRIVEN	   0x0fU /* status: acknowledged, driver, features, driver is ready */
#define VIRTIO_NEEDS_RESET 0x40U

struct virtio {
	struct vg_qtest *qtest;
	unsigned int function;
	uint64_t base; /* of its registers */
};

/* Vendor and device as vg_qtest_find() has them. The device is reset. */
VG_MUST_CHECK struct vg_error *virtio_find(struct effect_stage *stage, uint32_t id,
					   struct virtio *device);
/*
 * Begins with the first queue: descriptors, driver area and device area are a page each, from
 * `queue` on.
 */
void virtio_begin(const struct virtio *device, uint32_t queue);
void virtio_reset(const struct virtio *device);
unsigned int virtio_status(const struct virtio *device);
void virtio_notify(const struct virtio *device);

#endif
