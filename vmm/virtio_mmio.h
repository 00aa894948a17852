/* SPDX-License-Identifier: MIT */
/*
 * A virtio device on memory-mapped registers (virtio 1.2 §4.2, version 2, no legacy interface).
 *
 * Locks, in the order in which they are taken:
 *   turn       the queues and what the device does with them. The worker holds it for one queue
 *              turn; a vCPU holds it to write any register that shapes the device (status,
 *              features, queue set-up). So a reset waits for the turn to end and the next turn
 *              sees an empty device.
 *   registers  the registers and the interrupt line; held for a few instructions.
 * A vCPU that waits for `turn` counts itself in `waiting`, which ends the turn after the request
 * in hand.
 */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include "vmm/device.h"
#include "vmm/irq_line.h"
#include "vmm/notices.h"
#include "vmm/virtqueue.h"

#include <pthread.h>
#include <stdatomic.h>

#define VIRTIO_MMIO_BASE	  UINT64_C(0xd0000000) /* device N is at base + N * stride */
#define VIRTIO_MMIO_STRIDE	  UINT64_C(0x1000)
#define VIRTIO_MMIO_SIZE	  UINT64_C(0x200)
#define VIRTIO_MMIO_STATE_VERSION 2
#define VIRTIO_QUEUES_MAX	  1

/* What a kind of device says about itself. */
struct virtio_class {
	const char *name;
	uint32_t device_id; /* virtio 1.2 §5 */
	unsigned queues;
	size_t config_size;
};

struct virtio_mmio_state {
	uint32_t version;
	uint32_t status;	   /* §2.1 */
	uint32_t interrupt_status; /* §4.2.2 InterruptStatus */
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	uint32_t features_sealed; /* 1: FEATURES_OK was set since the last reset */
	uint64_t driver_features;
};

struct virtio_mmio {
	struct virtio_mmio_state state;
	pthread_mutex_t turn;
	pthread_mutex_t registers;
	atomic_uint waiting;
	struct irq_line irq;
	int kick_fd; /* wakes the worker; KVM signals it for QueueNotify */
	const struct virtio_class *class;
	uint64_t features; /* offered */
	const void *config;
	struct virtqueue queues[VIRTIO_QUEUES_MAX];
	unsigned number;	 /* of the device, for notices */
	struct notices *notices; /* NULL: nobody listens (unit tests) */
	const char *fault;	 /* why the device asks for a reset; NULL while it is well */
};

extern const struct device_ops virtio_mmio_ops;

void virtio_mmio_prepare(struct virtio_mmio *device, const struct virtio_class *class,
			 const struct guest_memory *memory);

/*
 * One queue turn of the worker. begin: true with the turn lock held if the driver is ready and
 * nobody waits; end: gives the lock back.
 */
bool virtio_turn_begin(struct virtio_mmio *device);
void virtio_turn_end(struct virtio_mmio *device);

/* Inside a turn: whether a vCPU waits for the turn to end. */
bool virtio_turn_must_end(struct virtio_mmio *device);

/* Inside a turn: tells the driver about used buffers, unless it asked not to be told. */
void virtio_notify_driver(struct virtio_mmio *device, struct virtqueue *queue);

/* Inside a turn: the driver broke the rules (§2.1.2); nothing more is done until it resets. */
void virtio_needs_reset(struct virtio_mmio *device, const char *fault);

#endif
