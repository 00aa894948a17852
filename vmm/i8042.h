/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller at 0x60 and 0x64, without a keyboard: enough that drivers find it sane,
 * and the reset line that PCs wired through it (IBM PC/AT Technical Reference, "Keyboard
 * Controller").
 *
 *   0x60  data          0x64  status (read), command (write)
 *
 * Thread context: vCPU threads; the lock is inside.
 */
#ifndef VMM_I8042_H
#define VMM_I8042_H

#include "vmm/device.h"
#include "vmm/ending.h"

#include <pthread.h>
#include <stdbool.h>

#define I8042_DATA_PORT	    0x60
#define I8042_COMMAND_PORT  0x64
#define I8042_STATE_VERSION 1

struct i8042_state {
	uint32_t version;
	uint8_t command_byte; /* what command 0x20 reads and 0x60 writes */
	uint8_t expects;      /* the command that takes the next data byte; 0: none */
	uint8_t has_output;
	uint8_t output;
};

struct i8042 {
	struct i8042_state state;
	pthread_mutex_t lock;
	struct ending *ending;
};

/* Each port is a region with a table of its own, over the same state. */
extern const struct device_ops i8042_data_ops;
extern const struct device_ops i8042_command_ops;

void i8042_prepare(struct i8042 *controller, struct ending *ending);

#endif
