/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk (virtio 1.2 §5.2): one request queue, served by one worker thread.
 * Offered: VERSION_1, SEG_MAX, BLK_SIZE, FLUSH, and RO for a read-only disk.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include "vmm/disk_image.h"
#include "vmm/ending.h"
#include "vmm/virtio_mmio.h"

#include <linux/virtio_blk.h>

#define VIRTIO_BLK_STATE_VERSION 1

/* The rest of the state is the transport's and the queue's. */
struct virtio_blk_state {
	uint32_t version;
	char id[VIRTIO_BLK_ID_BYTES]; /* what GET_ID answers, padded with zeroes */
	struct virtio_blk_config config;
};

struct virtio_blk {
	struct virtio_mmio transport;
	struct virtio_blk_state state;
	struct disk_image image;
	struct virtio_chain chain; /* the request in hand; the worker's alone */
	pthread_t worker;
	bool worker_runs;
	atomic_bool stopping;
	struct ending *ending;
};

/* Opens `path`; `number` names the disk ("vgraft-disk-N"). */
struct vmm_error *virtio_blk_create(struct virtio_blk *disk, unsigned number, const char *path,
				    bool readonly,
				    const struct guest_memory *memory) VMM_MUST_CHECK;
void virtio_blk_destroy(struct virtio_blk *disk);

/*
 * One turn of the queue after a kick: serves what is in it, at most one queue full. False: the
 * worker shall end. Called by the worker's loop; `error` is errno of its wait for a kick, or 0.
 */
bool virtio_blk_turn(struct virtio_blk *disk, int error);

#endif
