/* SPDX-License-Identifier: MIT */
/* A virtio device served by another process. */
#include <stdio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/qemu/effects/vhost_user.h"
#include "tests/qemu/effects/virtio.h"

#define RNG_ID	     0x10441af4U
#define COMMAND	     0x04
#define INTX_DISABLE (1U << 10)
#define QUEUE	     (EFFECTS_MEMORY + 0x10000)

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

/* Who serves the queue is told that nobody waits for interrupts: MSI-X is off, and so is INTx. */
struct vg_error *effect_intx_irqfd(struct effect_stage *stage, bool *fixed)
{
	unsigned int before = vhost_user_calls_without_fd(stage->device);
	struct virtio device;

	VG_TRY(virtio_find(stage, RNG_ID, &device));
	vg_qtest_set_config(device.qtest, device.function, COMMAND,
			    vg_qtest_config(device.qtest, device.function, COMMAND) | INTX_DISABLE);
	virtio_begin(&device, QUEUE);
	if (virtio_status(&device) != VIRTIO_DRIVEN)
		return vg_error_new(VG_FAILED, "the device does not begin");
	/* To end it QEMU asks the other process, and so waits until that has read all. */
	virtio_reset(&device);
	*fixed = vhost_user_calls_without_fd(stage->device) > before;
	return NULL;
}
