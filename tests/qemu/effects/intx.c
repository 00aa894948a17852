/* SPDX-License-Identifier: MIT */
/*
 * A virtio device served by another process, driven through qtest. Virtual I/O Device 1.2, section
 * 4.1.4.3 (the common configuration), 3.1.1 (initialisation).
 */
#include <stdio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/qemu/effects/effects.h"
#include "tests/qemu/effects/vhost_user.h"

#define RNG_ID	      0x10441af4U
#define REGISTERS     0xe0200000U
#define BAR	      4
#define COMMAND	      0x04
#define INTX_DISABLE  (1U << 10)
#define IS_VERSION_1  1U /* bit 32 */
#define QUEUE	      (EFFECTS_MEMORY + 0x10000)
#define STATUS_BEGUN  0x03U /* acknowledged, has a driver */
#define STATUS_AGREED 0x0bU
#define STATUS_DRIVEN 0x0fU

enum { DRIVER_FEATURE_SELECT = 0x08, DRIVER_FEATURE = 0x0c, DEVICE_STATUS = 0x14 };
enum { QUEUE_SELECT = 0x16, QUEUE_ENABLE = 0x1c, QUEUE_DESC = 0x20 };

struct vg_error *effect_stage_vhost_user(struct effect_stage *stage)
{
	_cleanup_close_ int peer = -1;
	char socket[64];

	VG_TRY(vhost_user_open(&stage->device, &peer));
	snprintf(socket, sizeof(socket), "socket,id=served,fd=%d", peer);

	const char *const extra[] = {
		"-object",  "memory-backend-memfd,id=ram,size=128M,share=on",
		"-machine", "memory-backend=ram",
		"-chardev", socket,
		"-device",  "vhost-user-rng-pci,chardev=served",
		NULL,
	};

	return effect_stage_halted(extra, stage);
}

static void set_address(struct vg_qtest *qtest, uint64_t where, uint32_t address)
{
	vg_qtest_writel(qtest, where, address);
	vg_qtest_writel(qtest, where + 4, 0);
}

/* As a driver would begin that polls. */
static void begin(struct vg_qtest *qtest, uint64_t base)
{
	vg_qtest_writel(qtest, base + DEVICE_STATUS, STATUS_BEGUN);
	vg_qtest_writel(qtest, base + DRIVER_FEATURE_SELECT, 1);
	vg_qtest_writel(qtest, base + DRIVER_FEATURE, IS_VERSION_1);
	vg_qtest_writel(qtest, base + DEVICE_STATUS, STATUS_AGREED);
	for (uint32_t ring = 0; ring < 3; ring++)
		set_address(qtest, base + QUEUE_DESC + 8UL * ring, QUEUE + 0x1000 * ring);
	vg_qtest_writel(qtest, base + QUEUE_ENABLE, 1);
	vg_qtest_writel(qtest, base + DEVICE_STATUS, STATUS_DRIVEN);
}

/* Who serves the queue is told that nobody waits for interrupts: MSI-X is off, and so is INTx. */
struct vg_error *effect_intx_irqfd(struct effect_stage *stage, bool *fixed)
{
	struct vg_qtest *qtest = stage->qtest;
	unsigned int function, before = vhost_user_calls_without_fd(stage->device);
	uint64_t base;

	if (!vg_qtest_find(qtest, RNG_ID, &function))
		return vg_error_new(VG_FAILED, "there is no vhost-user device");
	base = vg_qtest_enable(qtest, function, BAR, REGISTERS);
	vg_qtest_set_config(qtest, function, COMMAND,
			    vg_qtest_config(qtest, function, COMMAND) | INTX_DISABLE);
	vg_qtest_writel(qtest, base + DEVICE_STATUS, 0);
	begin(qtest, base);
	if ((vg_qtest_readl(qtest, base + DEVICE_STATUS) & 0xff) != STATUS_DRIVEN)
		return vg_error_new(VG_FAILED, "the device does not begin");
	/* To end it QEMU asks the other process, and so waits until that has read all. */
	vg_qtest_writel(qtest, base + DEVICE_STATUS, 0);
	*fixed = vhost_user_calls_without_fd(stage->device) > before;
	return NULL;
}
