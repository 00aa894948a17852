/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue, device side (virtio 1.2 §2.7). Everything in the ring was written by the
 * guest, possibly while we look: each index, address and length is read once, into a copy, and
 * checked there. What is wrong makes the queue faulty; nothing of it is then used.
 *
 * virtio is little-endian and so is every host that KVM for x86 runs on: no conversions.
 *
 * Thread context: one thread at a time (the device's turn lock).
 */
#ifndef VMM_VIRTQUEUE_H
#define VMM_VIRTQUEUE_H

#include "vmm/guest_memory.h"

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define VIRTQUEUE_SIZE_MAX	256
#define VIRTQUEUE_STATE_VERSION 1

struct virtqueue_state {
	uint32_t version;
	uint16_t size; /* entries, chosen by the driver */
	uint8_t ready; /* addresses are checked and the ring is in use */
	uint8_t unused;
	uint16_t next_avail; /* index of the next entry to take from the available ring */
	uint16_t next_used;  /* index of the next entry to fill in the used ring */
	uint64_t descriptor_area;
	uint64_t driver_area; /* available ring */
	uint64_t device_area; /* used ring */
};

struct virtqueue {
	struct virtqueue_state state;
	const struct guest_memory *memory;
	/* Where the areas are in the host; set by virtqueue_activate(), NULL while not ready. */
	const struct vring_desc *descriptors;
	const struct vring_avail *avail;
	struct vring_used *used;
};

/*
 * A descriptor chain, copied and checked: buffers to read (from the driver) come first, then
 * buffers to write. Empty buffers are left out.
 */
struct virtio_chain {
	uint16_t head;
	unsigned readable; /* buffers */
	unsigned writable; /* buffers, after the readable ones */
	uint64_t readable_bytes;
	uint64_t writable_bytes;
	struct iovec buffers[VIRTQUEUE_SIZE_MAX];
};

enum virtqueue_result {
	VIRTQUEUE_EMPTY,
	VIRTQUEUE_CHAIN,
	VIRTQUEUE_FAULTY,
};

void virtqueue_reset(struct virtqueue *queue);

/* Checks size and addresses and begins to use the ring. Returns NULL, or what is wrong. */
const char *virtqueue_activate(struct virtqueue *queue);

/* Takes the next chain. With VIRTQUEUE_FAULTY, *fault says what is wrong. */
enum virtqueue_result virtqueue_pop(struct virtqueue *queue, struct virtio_chain *chain,
				    const char **fault);

/* Copies the chain that starts at `head`. Returns NULL, or what is wrong with it. */
const char *virtqueue_walk(const struct virtqueue *queue, uint16_t head,
			   struct virtio_chain *chain);

/* Gives a chain back with the number of bytes written into it. */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);

bool virtqueue_is_empty(const struct virtqueue *queue);
bool virtqueue_wants_interrupt(const struct virtqueue *queue);

#endif
