/* SPDX-License-Identifier: MIT */
#include "vmm/i8042.h"

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM	   0x04 /* passed its self-test */
#define STATUS_UNLOCKED	   0x10

#define COMMAND_READ_BYTE    0x20
#define COMMAND_WRITE_BYTE   0x60
#define COMMAND_TEST_AUX     0xa9
#define COMMAND_SELF_TEST    0xaa
#define COMMAND_TEST_KBD     0xab
#define COMMAND_READ_OUTPUT  0xd0
#define COMMAND_WRITE_OUTPUT 0xd1
#define COMMAND_RESET	     0xfe

#define OUTPUT_NO_RESET 0x01 /* bit 0 low resets the processor */
#define OUTPUT_A20	0x02

static void i8042_reset(void *opaque)
{
	struct i8042 *controller = opaque;

	controller->state = (struct i8042_state){.version = I8042_STATE_VERSION};
}

void i8042_prepare(struct i8042 *controller, struct ending *ending)
{
	pthread_mutex_init(&controller->lock, NULL);
	controller->ending = ending;
}

static void answer(struct i8042_state *state, uint8_t value)
{
	state->has_output = 1;
	state->output = value;
}

static void reset_line_pull(struct i8042 *controller)
{
	ending_request(controller->ending, ENDING_RESET, NULL);
}

static void command_write(struct i8042 *controller, uint8_t command)
{
	struct i8042_state *state = &controller->state;

	state->expects = 0;
	switch (command) {
	case COMMAND_READ_BYTE:
		answer(state, state->command_byte);
		break;
	case COMMAND_WRITE_BYTE:
	case COMMAND_WRITE_OUTPUT:
		state->expects = command;
		break;
	case COMMAND_SELF_TEST:
		answer(state, 0x55); /* passed */
		break;
	case COMMAND_TEST_KBD:
		answer(state, 0x00); /* no fault on its lines */
		break;
	case COMMAND_TEST_AUX:
		answer(state, 0xff); /* there is no second port */
		break;
	case COMMAND_READ_OUTPUT:
		answer(state, OUTPUT_NO_RESET | OUTPUT_A20);
		break;
	case COMMAND_RESET:
		reset_line_pull(controller);
		break;
	}
}

static void data_write(struct i8042 *controller, uint8_t value)
{
	struct i8042_state *state = &controller->state;

	if (state->expects == COMMAND_WRITE_BYTE)
		state->command_byte = value;
	else if (state->expects == COMMAND_WRITE_OUTPUT && !(value & OUTPUT_NO_RESET))
		reset_line_pull(controller);
	state->expects = 0;
}

static void i8042_data_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct i8042 *controller = opaque;

	(void)offset;
	pthread_mutex_lock(&controller->lock);
	device_answer(data, size, controller->state.output);
	controller->state.has_output = 0;
	pthread_mutex_unlock(&controller->lock);
}

static void i8042_data_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct i8042 *controller = opaque;

	(void)offset, (void)size;
	pthread_mutex_lock(&controller->lock);
	data_write(controller, data[0]);
	pthread_mutex_unlock(&controller->lock);
}

static void i8042_status_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct i8042 *controller = opaque;
	uint8_t status = STATUS_SYSTEM | STATUS_UNLOCKED;

	(void)offset;
	pthread_mutex_lock(&controller->lock);
	if (controller->state.has_output)
		status |= STATUS_OUTPUT_FULL;
	pthread_mutex_unlock(&controller->lock);
	device_answer(data, size, status);
}

static void i8042_command_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct i8042 *controller = opaque;

	(void)offset, (void)size;
	pthread_mutex_lock(&controller->lock);
	command_write(controller, data[0]);
	pthread_mutex_unlock(&controller->lock);
}

const struct device_ops i8042_data_ops = {
	.name = "i8042",
	.state_version = I8042_STATE_VERSION,
	.state_offset = offsetof(struct i8042, state),
	.state_size = sizeof(struct i8042_state),
	.reset = i8042_reset,
	.read = i8042_data_read,
	.write = i8042_data_write,
};

const struct device_ops i8042_command_ops = {
	.name = "i8042-command",
	.state_version = I8042_STATE_VERSION,
	.state_offset = offsetof(struct i8042, state),
	.state_size = sizeof(struct i8042_state),
	.reset = i8042_reset,
	.read = i8042_status_read,
	.write = i8042_command_write,
};
