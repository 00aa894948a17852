/* SPDX-License-Identifier: MIT */
/*
 * A virtio-blk disk behind virtio-mmio (virtio 1.2, 4.2 and 5.2), driven from CPL3: the rings and
 * the registers are in memory that CPL3 can reach; only the notification goes through CPL0,
 * because an MMIO exit costs seven times as much from CPL3.
 *
 * The raw rings are open to the exploits, which fill them with what no driver would.
 */
#ifndef TESTS_GUEST_DISK_H
#define TESTS_GUEST_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_QUEUE_MAX 64

#define VIRTIO_MAGIC		  0x000
#define VIRTIO_VERSION		  0x004
#define VIRTIO_DEVICE_ID	  0x008
#define VIRTIO_DEVICE_FEATURES	  0x010
#define VIRTIO_DEVICE_FEATURE_SEL 0x014
#define VIRTIO_DRIVER_FEATURES	  0x020
#define VIRTIO_DRIVER_FEATURE_SEL 0x024
#define VIRTIO_QUEUE_SEL	  0x030
#define VIRTIO_QUEUE_NUM_MAX	  0x034
#define VIRTIO_QUEUE_NUM	  0x038
#define VIRTIO_QUEUE_READY	  0x044
#define VIRTIO_QUEUE_NOTIFY	  0x050
#define VIRTIO_STATUS		  0x070
#define VIRTIO_QUEUE_DESC	  0x080
#define VIRTIO_QUEUE_DRIVER	  0x090
#define VIRTIO_QUEUE_DEVICE	  0x0a0
#define VIRTIO_CONFIG		  0x100

#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER	  2
#define VIRTIO_STATUS_DRIVER_OK	  4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64

#define VIRTIO_F_VERSION_1 (1ULL << 32)
#define VIRTIO_BLK_F_FLUSH (1ULL << 9)

#define DESC_NEXT  1
#define DESC_WRITE 2

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY	   1

#define BLK_READ   0
#define BLK_WRITE  1
#define BLK_FLUSH  4
#define BLK_GET_ID 8

#define BLK_OK	    0
#define BLK_IOERR   1
#define BLK_UNSUPP  2
#define BLK_PENDING 0xff /* ours: no device writes it */

#define SECTOR_BYTES 512

struct disk_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct disk_available {
	uint16_t flags, index;
	uint16_t ring[DISK_QUEUE_MAX];
	uint16_t used_event;
};

struct disk_used_entry {
	uint32_t id, length;
};

struct disk_used {
	volatile uint16_t flags, index;
	struct disk_used_entry ring[DISK_QUEUE_MAX];
	uint16_t avail_event;
};

/* virtio 1.2, 5.2.6 */
struct disk_request_header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct disk {
	uint64_t registers;
	uint32_t irq;
	uint32_t queue_size;
	uint64_t features; /* negotiated */
	uint64_t sectors;
	uint16_t seen;	  /* used entries taken */
	uint16_t offered; /* available entries written; published by disk_publish() */
	struct disk_descriptor *descriptors;
	struct disk_available *available;
	struct disk_used *used;
};

/* Finds the first disk that the command line names and makes it ready. False: there is none. */
bool disk_open(struct disk *disk);
/* Resets the device and negotiates again, with empty rings. */
void disk_restart(struct disk *disk);

static inline uint32_t disk_register(const struct disk *disk, uint32_t offset)
{
	return *(volatile uint32_t *)(disk->registers + offset);
}

static inline void disk_set_register(const struct disk *disk, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(disk->registers + offset) = value;
}

void disk_describe(struct disk *disk, uint16_t index, const volatile void *address, uint32_t length,
		   uint16_t flags);
/* Puts a chain's head in the ring; the device may see it only after disk_publish(). */
void disk_offer(struct disk *disk, uint16_t head);
/* Shows all that was offered and notifies the device, unless it said that it need not be. */
void disk_publish(struct disk *disk);
/* Takes one answer, if there is one. */
bool disk_take(struct disk *disk, struct disk_used_entry *entry);
/* Sleeps until there may be an answer: woken by the disk, or by the timer within a second. */
void disk_sleep(struct disk *disk);
/* Routes the disk's interrupt to this CPU. */
void disk_use_interrupts(struct disk *disk);
/* Polls for one answer for at most `seconds`. */
bool disk_wait(struct disk *disk, struct disk_used_entry *entry, uint64_t seconds);

#endif
