/* SPDX-License-Identifier: MIT */
#include "vmm/power.h"

#define PM1_SLP_EN  (1u << 13)
#define RST_RST_CPU (1u << 2)

static void power_reset(void *opaque)
{
	struct power *power = opaque;

	power->state = (struct power_state){.version = POWER_STATE_VERSION};
}

/* SCI_EN (bit 0): ACPI mode is always on. */
static void pm1a_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	(void)opaque;
	device_answer(data, size, UINT64_C(1) >> (8 * offset));
}

static void pm1a_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct power *power = opaque;

	if ((device_value(data, size) << (8 * offset)) & PM1_SLP_EN)
		ending_request(power->ending, ENDING_POWER_OFF, NULL);
}

static void reset_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	(void)opaque, (void)offset;
	device_answer(data, size, 0);
}

static void reset_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct power *power = opaque;

	(void)offset, (void)size;
	if (data[0] & RST_RST_CPU)
		ending_request(power->ending, ENDING_RESET, NULL);
}

const struct device_ops power_off_ops = {
	.name = "pm1a",
	.state_version = POWER_STATE_VERSION,
	.state_offset = offsetof(struct power, state),
	.state_size = sizeof(struct power_state),
	.reset = power_reset,
	.read = pm1a_read,
	.write = pm1a_write,
};

const struct device_ops power_reset_ops = {
	.name = "reset-control",
	.state_version = POWER_STATE_VERSION,
	.state_offset = offsetof(struct power, state),
	.state_size = sizeof(struct power_state),
	.reset = power_reset,
	.read = reset_read,
	.write = reset_write,
};
