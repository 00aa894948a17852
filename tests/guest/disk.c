// SPDX-License-Identifier: MIT
#include "tests/guest/disk.h"

#include "tests/guest/kernel.h"
#include "tests/guest/user.h"

#define VIRTIO_MAGIC_VALUE 0x74726976
#define VIRTIO_MODERN	   2
#define VIRTIO_ID_BLOCK	   2

static struct disk_descriptor descriptors[DISK_QUEUE_MAX] __attribute__((aligned(4096)));
static struct disk_available available __attribute__((aligned(4096)));
static struct disk_used used __attribute__((aligned(4096)));

/* `SIZE@ADDRESS:IRQ`, where SIZE may have a suffix. */
static void parse_device(const char *text, struct disk *disk)
{
	while (*text && *text != '@')
		text++;
	text += *text == '@';
	disk->registers = parse_number(&text);
	text += *text == ':';
	disk->irq = parse_number(&text);
}

static bool is_block_device(const struct disk *disk)
{
	return disk_register(disk, VIRTIO_MAGIC) == VIRTIO_MAGIC_VALUE &&
	       disk_register(disk, VIRTIO_VERSION) == VIRTIO_MODERN &&
	       disk_register(disk, VIRTIO_DEVICE_ID) == VIRTIO_ID_BLOCK;
}

static uint64_t offered_features(const struct disk *disk)
{
	uint64_t features;

	disk_set_register(disk, VIRTIO_DEVICE_FEATURE_SEL, 0);
	features = disk_register(disk, VIRTIO_DEVICE_FEATURES);
	disk_set_register(disk, VIRTIO_DEVICE_FEATURE_SEL, 1);
	return features | (uint64_t)disk_register(disk, VIRTIO_DEVICE_FEATURES) << 32;
}

static void accept_features(struct disk *disk)
{
	disk->features = offered_features(disk) & (VIRTIO_F_VERSION_1 | VIRTIO_BLK_F_FLUSH);
	disk_set_register(disk, VIRTIO_DRIVER_FEATURE_SEL, 0);
	disk_set_register(disk, VIRTIO_DRIVER_FEATURES, disk->features);
	disk_set_register(disk, VIRTIO_DRIVER_FEATURE_SEL, 1);
	disk_set_register(disk, VIRTIO_DRIVER_FEATURES, disk->features >> 32);
}

static void set_address(const struct disk *disk, uint32_t reg, const volatile void *address)
{
	disk_set_register(disk, reg, (uint64_t)address);
	disk_set_register(disk, reg + 4, (uint64_t)address >> 32);
}

static void open_queue(struct disk *disk)
{
	disk_set_register(disk, VIRTIO_QUEUE_SEL, 0);

	uint32_t max = disk_register(disk, VIRTIO_QUEUE_NUM_MAX);

	disk->queue_size = max < DISK_QUEUE_MAX ? max : DISK_QUEUE_MAX;
	disk_set_register(disk, VIRTIO_QUEUE_NUM, disk->queue_size);
	set_address(disk, VIRTIO_QUEUE_DESC, descriptors);
	set_address(disk, VIRTIO_QUEUE_DRIVER, &available);
	set_address(disk, VIRTIO_QUEUE_DEVICE, &used);
	disk_set_register(disk, VIRTIO_QUEUE_READY, 1);
}

/* virtio 1.2, 3.1.1 */
void disk_restart(struct disk *disk)
{
	uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	__builtin_memset(descriptors, 0, sizeof(descriptors));
	__builtin_memset(&available, 0, sizeof(available));
	__builtin_memset((void *)&used, 0, sizeof(used));
	disk->seen = disk->offered = 0;
	disk->descriptors = descriptors;
	disk->available = &available;
	disk->used = &used;

	disk_set_register(disk, VIRTIO_STATUS, 0);
	while (disk_register(disk, VIRTIO_STATUS))
		relax();
	disk_set_register(disk, VIRTIO_STATUS, status);
	accept_features(disk);
	status |= VIRTIO_STATUS_FEATURES_OK;
	disk_set_register(disk, VIRTIO_STATUS, status);
	if (!(disk_register(disk, VIRTIO_STATUS) & VIRTIO_STATUS_FEATURES_OK))
		tap_bail_out("the disk refuses the features that it offered");
	open_queue(disk);
	disk_set_register(disk, VIRTIO_STATUS, status | VIRTIO_STATUS_DRIVER_OK);
	disk->sectors = disk_register(disk, VIRTIO_CONFIG) |
			(uint64_t)disk_register(disk, VIRTIO_CONFIG + 4) << 32;
}

bool disk_open(struct disk *disk)
{
	char text[64];

	for (unsigned int i = 0; option_text_nth("virtio_mmio.device", i, text, sizeof(text));
	     i++) {
		parse_device(text, disk);
		if (is_block_device(disk)) {
			disk_restart(disk);
			return true;
		}
	}
	return false;
}

void disk_describe(struct disk *disk, uint16_t index, const volatile void *address, uint32_t length,
		   uint16_t flags)
{
	disk->descriptors[index] = (struct disk_descriptor){
		.address = (uint64_t)address,
		.length = length,
		.flags = flags,
		.next = index + 1,
	};
}

void disk_offer(struct disk *disk, uint16_t head)
{
	disk->available->ring[disk->offered++ % disk->queue_size] = head;
}

void disk_publish(struct disk *disk)
{
	VG_REPORT_SET(disk->available->index, disk->offered);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the index before we look whether to notify */
	if (!(disk->used->flags & USED_NO_NOTIFY))
		kernel_call(CALL_NOTIFY, disk->registers + VIRTIO_QUEUE_NOTIFY, 0);
}

bool disk_take(struct disk *disk, struct disk_used_entry *entry)
{
	if (VG_REPORT_GET(disk->used->index) == disk->seen)
		return false;
	*entry = disk->used->ring[disk->seen++ % disk->queue_size];
	return true;
}

void disk_use_interrupts(struct disk *disk)
{
	disk->available->flags = AVAIL_NO_INTERRUPT;
	kernel_call(CALL_OPEN_IRQ, disk->irq, disk->registers);
}

/* Interrupts are wanted only while nothing else is to be done; CPL0 looks once more before hlt. */
void disk_sleep(struct disk *disk)
{
	__atomic_store_n(&disk->available->flags, 0, __ATOMIC_SEQ_CST);
	kernel_call(CALL_WAIT, (uint64_t)&disk->used->index, disk->seen);
	__atomic_store_n(&disk->available->flags, AVAIL_NO_INTERRUPT, __ATOMIC_SEQ_CST);
}

bool disk_wait(struct disk *disk, struct disk_used_entry *entry, uint64_t seconds)
{
	uint64_t deadline = now() + from_seconds(seconds);

	while (now() < deadline) {
		if (disk_take(disk, entry))
			return true;
		relax();
	}
	return false;
}
