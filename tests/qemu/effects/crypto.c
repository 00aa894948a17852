/* SPDX-License-Identifier: MIT */
/* The cryptographic device. Virtual I/O Device 1.2, section 5.9. */
#include "common/error.h"
#include "tests/qemu/effects/virtio.h"

#define CRYPTO_ID   0x10541af4U
#define SIGN	    0x402U     /* VIRTIO_CRYPTO_AKCIPHER_SIGN */
#define MUCH	    0x4000000U /* bytes that the answer is said to have */
#define QUEUE	    (EFFECTS_MEMORY + 0x20000)
#define AVAILABLE   (QUEUE + 0x1000)
#define USED	    (QUEUE + 0x2000)
#define REQUEST	    (QUEUE + 0x3000)
#define ANSWER	    (QUEUE + 0x4000)
#define ANSWER_SIZE 64
#define HAS_NEXT    1U
#define IS_WRITTEN  2U

struct descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

struct request {
	uint32_t opcode, algorithm;
	uint64_t session;
	uint32_t flag, padding;
	uint32_t source_bytes, result_bytes;
	uint8_t rest[40];
};

static const char *const devices[] = {
	"-object", "cryptodev-backend-builtin,id=builtin",
	"-device", "virtio-crypto-pci,cryptodev=builtin",
	NULL,
};

struct vg_error *effect_stage_crypto(struct effect_stage *stage)
{
	return effect_stage_halted(devices, stage);
}

/* One request in two descriptors, made available. */
static void put_request(struct vg_qtest *qtest)
{
	const struct request request = {.opcode = SIGN, .result_bytes = MUCH};
	const struct descriptor chain[2] = {
		{REQUEST, sizeof(request), HAS_NEXT, 1},
		{ANSWER, ANSWER_SIZE, IS_WRITTEN, 0},
	};

	vg_qtest_write(qtest, REQUEST, &request, sizeof(request));
	vg_qtest_write(qtest, QUEUE, chain, sizeof(chain));
	vg_qtest_writel(qtest, AVAILABLE + 4, 0);
	vg_qtest_writel(qtest, AVAILABLE, 1U << 16);
}

static bool is_answered(void *argument)
{
	const struct virtio *device = argument;

	return vg_qtest_readl(device->qtest, USED) >> 16 == 1 ||
	       virtio_status(device) & VIRTIO_NEEDS_RESET;
}

/* A signature longer than the buffer for it is refused before there is memory for it. */
struct vg_error *effect_crypto_lengths(struct effect_stage *stage, bool *fixed)
{
	struct virtio device;

	VG_TRY(virtio_find(stage, CRYPTO_ID, &device));
	virtio_begin(&device, QUEUE);
	put_request(device.qtest);
	virtio_notify(&device);
	VG_TRY(effect_wait(stage, is_answered, &device, "the device to answer"));
	*fixed = virtio_status(&device) & VIRTIO_NEEDS_RESET;
	return NULL;
}
