/* SPDX-License-Identifier: MIT */
/*
 * Serial port 1: a 16550A at 0x3f8, IRQ 4 (National Semiconductor PC16550D data sheet, §8).
 *
 *   0  RBR received data (read), THR data to send (write); with LCR.DLAB: DLL, divisor low
 *   1  IER interrupt enable; with LCR.DLAB: DLM, divisor high
 *   2  IIR interrupt identification (read), FCR FIFO control (write)
 *   3  LCR line control      4  MCR modem control
 *   5  LSR line status       6  MSR modem status      7  SCR scratch
 *
 * Sent bytes go to a ring that the console thread empties, so that no vCPU ever waits for whoever
 * reads our standard output. THRE is set while the ring has room for a FIFO full; its interrupt
 * comes when the console thread has taken bytes.
 *
 * Thread context: vCPU threads through serial_ops, the console thread through the rest; the lock
 * is inside.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include "vmm/device.h"
#include "vmm/irq_line.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_PORT	     0x3f8
#define SERIAL_PORTS	     8
#define SERIAL_IRQ	     4
#define SERIAL_FIFO	     16
#define SERIAL_RING	     4096 /* a power of two */
#define SERIAL_STATE_VERSION 1

struct serial_state {
	uint32_t version;
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t overrun;      /* LSR.OE */
	uint8_t thre_pending; /* the THRE interrupt is due */
	uint8_t rx_timeout;   /* the receiver time-out interrupt is due */
	uint16_t divisor;
	uint32_t baud;
	uint64_t character_ns; /* time that one character takes on the line */
	uint64_t rx_deadline;  /* CLOCK_MONOTONIC ns when rx_timeout falls due; 0: none */
	uint32_t rx_head, rx_count;
	uint8_t rx[SERIAL_FIFO];
	uint32_t tx_head, tx_count;
	uint8_t tx[SERIAL_RING];
};

struct serial {
	struct serial_state state;
	pthread_mutex_t lock;
	struct irq_line irq;
	int wake_fd; /* wakes the console thread: something to send, or room to receive */
};

extern const struct device_ops serial_ops;

void serial_prepare(struct serial *serial);

/* How many bytes serial_receive() would take now. */
size_t serial_room(struct serial *serial);
void serial_receive(struct serial *serial, const uint8_t *data, size_t size);

/* Copies up to `size` bytes that wait to be sent; serial_sent() removes what was written. */
size_t serial_peek(struct serial *serial, uint8_t *data, size_t size);
void serial_sent(struct serial *serial, size_t size);
size_t serial_pending(struct serial *serial);

/* Nanoseconds until serial_check_timeout() wants to be called; UINT64_MAX: never. */
uint64_t serial_timeout_in(struct serial *serial);
void serial_check_timeout(struct serial *serial);

#endif
