/* SPDX-License-Identifier: MIT */
#include "tests/qemu/effects/virtio.h"

#include "common/error.h"

#define REGISTERS    0xe0200000U
#define BAR	     4
#define NOTIFY	     0x3000
#define IS_VERSION_1 1U /* bit 32 */
#define BEGUN	     0x03U
#define AGREED	     0x0bU

enum { DRIVER_FEATURE_SELECT = 0x08, DRIVER_FEATURE = 0x0c, DEVICE_STATUS = 0x14 };
enum { QUEUE_ENABLE = 0x1c, QUEUE_DESC = 0x20 };

struct vg_error *virtio_find(struct effect_stage *stage, uint32_t id, struct virtio *device)
{
	device->qtest = stage->qtest;
	if (!vg_qtest_find(device->qtest, id, &device->function))
		return vg_error_new(VG_FAILED, "there is no virtio device %08x", id);
	device->base = vg_qtest_enable(device->qtest, device->function, BAR, REGISTERS);
	virtio_reset(device);
	return NULL;
}

static void set(const struct virtio *device, uint64_t where, uint32_t value)
{
	vg_qtest_writel(device->qtest, device->base + where, value);
}

void virtio_begin(const struct virtio *device, uint32_t queue)
{
	set(device, DEVICE_STATUS, BEGUN);
	set(device, DRIVER_FEATURE_SELECT, 1);
	set(device, DRIVER_FEATURE, IS_VERSION_1);
	set(device, DEVICE_STATUS, AGREED);
	for (uint32_t area = 0; area < 3; area++) {
		set(device, QUEUE_DESC + 8UL * area, queue + 0x1000 * area);
		set(device, QUEUE_DESC + 8UL * area + 4, 0);
	}
	set(device, QUEUE_ENABLE, 1);
	set(device, DEVICE_STATUS, VIRTIO_DRIVEN);
}

void virtio_reset(const struct virtio *device)
{
	set(device, DEVICE_STATUS, 0);
}

unsigned int virtio_status(const struct virtio *device)
{
	return vg_qtest_readl(device->qtest, device->base + DEVICE_STATUS) & 0xff;
}

void virtio_notify(const struct virtio *device)
{
	set(device, NOTIFY, 0);
}
