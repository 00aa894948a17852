/* SPDX-License-Identifier: MIT */
/*
 * A request (§5.2.6) is a chain with a 16-byte header to read, data to read or write, and one
 * status byte to write, cut into descriptors as the driver likes (§2.7.4.1):
 *
 *   readable: | header 16 | data for OUT ... |
 *   writable: | data for IN, GET_ID ... | status 1 |
 *
 * 1. Take the chain: virtqueue_pop() has checked and copied every descriptor.
 * 2. Cut header and status off its ends; a chain too short for them breaks the queue.
 * 3. Check the header against the disk, do the transfer straight from or to guest memory.
 * 4. Write the status, give the chain back; interrupt once per turn.
 */
#include "vmm/virtio_blk.h"

#include "vmm/event.h"
#include "vmm/replaceable.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>

#define FEATURE(bit) (UINT64_C(1) << (bit))

static const struct virtio_class virtio_blk_class = {
	.name = "virtio-blk",
	.device_id = VIRTIO_ID_BLOCK,
	.queues = 1,
	.config_size = sizeof(struct virtio_blk_config),
};

struct vmm_error *virtio_blk_create(struct virtio_blk *disk, unsigned number, const char *path,
				    bool readonly, const struct guest_memory *memory)
{
	struct virtio_mmio *transport = &disk->transport;

	VMM_TRY(disk_image_open(&disk->image, path, readonly));
	disk->state = (struct virtio_blk_state){
		.version = VIRTIO_BLK_STATE_VERSION,
		.config =
			{
				.capacity = disk->image.sectors,
				/* Header and status may take a descriptor each. */
				.seg_max = VIRTQUEUE_SIZE_MAX - 2,
				.blk_size = DISK_SECTOR,
			},
	};
	snprintf(disk->state.id, sizeof(disk->state.id), "vgraft-disk-%u", number);

	virtio_mmio_prepare(transport, &virtio_blk_class, memory);
	transport->config = &disk->state.config;
	transport->features |= FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
			       FEATURE(VIRTIO_BLK_F_FLUSH);
	if (readonly)
		transport->features |= FEATURE(VIRTIO_BLK_F_RO);
	return event_create(&transport->kick_fd);
}

void virtio_blk_destroy(struct virtio_blk *disk)
{
	event_destroy(&disk->transport.kick_fd);
	disk_image_close(&disk->image);
}

/* Copies the first bytes of the readable buffers out and drops them from the chain. */
static bool header_take(struct virtio_chain *chain, struct virtio_blk_outhdr *header)
{
	size_t done = 0;
	unsigned used = 0;

	if (chain->readable_bytes < sizeof(*header))
		return false;
	while (done < sizeof(*header)) {
		struct iovec *buffer = &chain->buffers[used];
		size_t left = sizeof(*header) - done;
		size_t length = buffer->iov_len < left ? buffer->iov_len : left;

		memcpy((uint8_t *)header + done, buffer->iov_base, length);
		done += length;
		buffer->iov_base = (uint8_t *)buffer->iov_base + length;
		buffer->iov_len -= length;
		used += buffer->iov_len == 0;
	}
	chain->readable_bytes -= sizeof(*header);
	chain->readable -= used;
	memmove(chain->buffers, chain->buffers + used,
		(chain->readable + chain->writable) * sizeof(chain->buffers[0]));
	return true;
}

/* Finds the last writable byte and drops it from the chain. */
static uint8_t *status_take(struct virtio_chain *chain)
{
	if (chain->writable_bytes == 0)
		return NULL;

	struct iovec *last = &chain->buffers[chain->readable + chain->writable - 1];

	last->iov_len--;
	chain->writable_bytes--;
	if (last->iov_len == 0)
		chain->writable--;
	return (uint8_t *)last->iov_base + last->iov_len;
}

/* Whether `bytes` from `sector` on are whole sectors of the disk; no sum of theirs can wrap. */
static bool is_on_disk(const struct virtio_blk *disk, uint64_t sector, uint64_t bytes)
{
	uint64_t sectors = bytes / DISK_SECTOR;

	return bytes % DISK_SECTOR == 0 && sector <= disk->image.sectors &&
	       sectors <= disk->image.sectors - sector;
}

static uint8_t request_read(const struct virtio_blk *disk, struct virtio_chain *chain,
			    uint64_t sector)
{
	if (!is_on_disk(disk, sector, chain->writable_bytes))
		return VIRTIO_BLK_S_IOERR;

	int failed = disk_image_read(&disk->image, chain->buffers + chain->readable,
				     chain->writable, sector * DISK_SECTOR);

	return failed ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static uint8_t request_flush(const struct virtio_blk *disk)
{
	return disk_image_flush(&disk->image) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* A driver that did not take FLUSH cannot ask for it: its writes are stable when they are done. */
static bool is_write_through(const struct virtio_blk *disk)
{
	return !(disk->transport.state.driver_features & FEATURE(VIRTIO_BLK_F_FLUSH));
}

static uint8_t request_write(const struct virtio_blk *disk, struct virtio_chain *chain,
			     uint64_t sector)
{
	if (disk->image.readonly || !is_on_disk(disk, sector, chain->readable_bytes))
		return VIRTIO_BLK_S_IOERR;
	if (disk_image_write(&disk->image, chain->buffers, chain->readable, sector * DISK_SECTOR))
		return VIRTIO_BLK_S_IOERR;
	return is_write_through(disk) ? request_flush(disk) : VIRTIO_BLK_S_OK;
}

/* Copies `length` bytes into the writable buffers, which must have room for them. */
static void chain_fill(struct virtio_chain *chain, const void *data, uint64_t length)
{
	struct iovec *buffer = chain->buffers + chain->readable;

	for (uint64_t done = 0; done < length; buffer++) {
		uint64_t left = length - done;
		uint64_t part = buffer->iov_len < left ? buffer->iov_len : left;

		memcpy(buffer->iov_base, (const uint8_t *)data + done, part);
		done += part;
	}
}

/*
 * Does one request and returns its status. *written grows by the bytes put into the guest's
 * buffers. Everything that the disk does goes through here.
 */
static VMM_REPLACEABLE uint8_t virtio_blk_request(struct virtio_blk *disk,
						  struct virtio_chain *chain,
						  const struct virtio_blk_outhdr *header,
						  uint32_t *written)
{
	uint64_t room = chain->writable_bytes;
	uint8_t status;

	switch (header->type) {
	case VIRTIO_BLK_T_IN:
		status = request_read(disk, chain, header->sector);
		break;
	case VIRTIO_BLK_T_OUT:
		return request_write(disk, chain, header->sector);
	case VIRTIO_BLK_T_FLUSH:
		return request_flush(disk);
	case VIRTIO_BLK_T_GET_ID:
		/* The driver offers a buffer of any length; the id has VIRTIO_BLK_ID_BYTES. */
		if (room > sizeof(disk->state.id))
			room = sizeof(disk->state.id);
		chain_fill(chain, disk->state.id, room);
		status = VIRTIO_BLK_S_OK;
		break;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
	if (status == VIRTIO_BLK_S_OK)
		*written += (uint32_t)room;
	return status;
}

/* One chain from the queue. Returns NULL, or why the queue is broken. */
static const char *virtio_blk_serve(struct virtio_blk *disk, struct virtqueue *queue)
{
	struct virtio_chain *chain = &disk->chain;
	struct virtio_blk_outhdr header;
	uint32_t written = 1; /* the status byte */

	if (!header_take(chain, &header))
		return "a block request without a header";

	uint8_t *status = status_take(chain);

	if (!status)
		return "a block request without room for its status";
	*status = virtio_blk_request(disk, chain, &header, &written);
	virtqueue_push(queue, chain->head, written);
	return NULL;
}

/* Serves up to one queue full, so that every turn ends. Returns how many, or -1 if it broke. */
static int queue_serve(struct virtio_blk *disk, struct virtqueue *queue)
{
	const char *fault = NULL;
	int served = 0;

	while (served < queue->state.size && !virtio_turn_must_end(&disk->transport)) {
		enum virtqueue_result result = virtqueue_pop(queue, &disk->chain, &fault);

		if (result == VIRTQUEUE_EMPTY)
			break;
		if (result == VIRTQUEUE_CHAIN)
			fault = virtio_blk_serve(disk, queue);
		if (fault) {
			virtio_needs_reset(&disk->transport, fault);
			return -1;
		}
		served++;
	}
	return served;
}

static void queue_turn(struct virtio_blk *disk, struct virtqueue *queue)
{
	int served = queue_serve(disk, queue);

	if (served > 0)
		virtio_notify_driver(&disk->transport, queue);
	/* What is left, or came in meanwhile without a kick, is for the next turn. */
	if (served >= 0 && !virtqueue_is_empty(queue))
		event_signal(disk->transport.kick_fd);
}

/* Without its kicks the disk would never answer again: better an end with a reason. */
static bool kick_failed(struct virtio_blk *disk, int error)
{
	if (event_is_routine(error))
		return true;
	ending_request(disk->ending, ENDING_FAILED,
		       "cannot wait for the requests of virtio-blk %u: %s", disk->transport.number,
		       strerror(error));
	return false;
}

bool virtio_blk_turn(struct virtio_blk *disk, int error)
{
	struct virtqueue *queue = &disk->transport.queues[0];

	if (atomic_load(&disk->stopping))
		return false;
	if (error)
		return kick_failed(disk, error);
	if (!virtio_turn_begin(&disk->transport))
		return true;
	if (queue->state.ready)
		queue_turn(disk, queue);
	virtio_turn_end(&disk->transport);
	return true;
}
