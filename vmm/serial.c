/* SPDX-License-Identifier: MIT */
#include "vmm/serial.h"

#include "vmm/clock.h"
#include "vmm/event.h"
#include "vmm/replaceable.h"

#include <linux/serial_reg.h>

#define CLOCK_HZ 1843200 /* the crystal of a PC's serial port */

static bool are_fifos_on(const struct serial_state *state)
{
	return state->fcr & UART_FCR_ENABLE_FIFO;
}

static uint32_t rx_capacity(const struct serial_state *state)
{
	return are_fifos_on(state) ? SERIAL_FIFO : 1;
}

/* Received bytes at which the data interrupt comes (FCR bits 6 and 7). */
static uint32_t rx_trigger(const struct serial_state *state)
{
	static const uint8_t levels[] = {1, 4, 8, 14};

	return are_fifos_on(state) ? levels[state->fcr >> 6] : 1;
}

static bool is_thr_empty(const struct serial_state *state)
{
	return SERIAL_RING - state->tx_count >= SERIAL_FIFO;
}

/* The interrupt with the highest priority that is both due and enabled (data sheet, table II). */
static uint8_t interrupt_id(const struct serial_state *state)
{
	if ((state->ier & UART_IER_RLSI) && state->overrun)
		return UART_IIR_RLSI;
	if ((state->ier & UART_IER_RDI) && state->rx_count >= rx_trigger(state))
		return UART_IIR_RDI;
	if ((state->ier & UART_IER_RDI) && state->rx_timeout)
		return UART_IIR_RX_TIMEOUT;
	if ((state->ier & UART_IER_THRI) && state->thre_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void interrupt_update(struct serial *serial)
{
	irq_line_set(&serial->irq, interrupt_id(&serial->state) != UART_IIR_NO_INT);
}

/* Start bit, 5 to 8 data bits, parity, 1 or 2 stop bits (LCR). */
static unsigned character_bits(uint8_t lcr)
{
	return 1 + 5 + (lcr & UART_LCR_WLEN8) + !!(lcr & UART_LCR_PARITY) + 1 +
	       !!(lcr & UART_LCR_STOP);
}

/*
 * The speed that the divisor latch and LCR give. Guests write the latch a byte at a time, so it
 * passes through 0 on the way from one speed to another; the line then keeps its old speed.
 */
static VMM_REPLACEABLE void serial_set_speed(struct serial_state *state)
{
	if (state->divisor == 0)
		return;
	state->baud = CLOCK_HZ / (16 * state->divisor);
	state->character_ns =
		UINT64_C(1000000000) * character_bits(state->lcr) * 16 * state->divisor / CLOCK_HZ;
}

static void serial_reset(void *opaque)
{
	struct serial *serial = opaque;

	serial->state = (struct serial_state){
		.version = SERIAL_STATE_VERSION,
		.divisor = 12, /* 9600 baud, as firmware leaves it */
		.lcr = UART_LCR_WLEN8,
	};
	serial_set_speed(&serial->state);
	interrupt_update(serial);
}

void serial_prepare(struct serial *serial)
{
	pthread_mutex_init(&serial->lock, NULL);
	serial->irq.vm_fd = -1;
	serial->wake_fd = -1;
}

/* Data sheet §8.8: four characters after the last byte came or went, if bytes are left over. */
static void rx_restart_timeout(struct serial_state *state)
{
	bool due =
		are_fifos_on(state) && state->rx_count > 0 && state->rx_count < rx_trigger(state);

	state->rx_timeout = 0;
	state->rx_deadline = due ? clock_now_ns() + 4 * state->character_ns : 0;
}

static void rx_add(struct serial_state *state, uint8_t byte)
{
	if (state->rx_count == rx_capacity(state)) {
		state->overrun = 1;
		return;
	}
	state->rx[(state->rx_head + state->rx_count++) % SERIAL_FIFO] = byte;
}

static uint8_t rbr_read(struct serial *serial)
{
	struct serial_state *state = &serial->state;

	if (state->rx_count == 0)
		return 0;

	uint8_t byte = state->rx[state->rx_head];
	bool was_full = state->rx_count == rx_capacity(state);

	state->rx_head = (state->rx_head + 1) % SERIAL_FIFO;
	state->rx_count--;
	rx_restart_timeout(state);
	if (was_full || state->rx_deadline)
		event_signal(serial->wake_fd);
	return byte;
}

/* A byte that finds no room is lost, as on the chip: the guest did not look at THRE. */
static void thr_write(struct serial *serial, uint8_t byte)
{
	struct serial_state *state = &serial->state;

	if (state->mcr & UART_MCR_LOOP) {
		rx_add(state, byte);
		rx_restart_timeout(state);
		state->thre_pending = 1;
		return;
	}
	state->thre_pending = 0;
	if (state->tx_count == SERIAL_RING)
		return;
	state->tx[(state->tx_head + state->tx_count++) % SERIAL_RING] = byte;
	if (state->tx_count == 1)
		event_signal(serial->wake_fd);
}

/* Reading IIR takes back the THRE interrupt, if that is what it reports. */
static uint8_t iir_read(struct serial_state *state)
{
	uint8_t id = interrupt_id(state);

	if (id == UART_IIR_THRI)
		state->thre_pending = 0;
	return id | (are_fifos_on(state) ? 0xc0 : 0);
}

static uint8_t lsr_read(struct serial_state *state)
{
	uint8_t value = 0;

	if (state->rx_count > 0)
		value |= UART_LSR_DR;
	if (state->overrun)
		value |= UART_LSR_OE;
	if (is_thr_empty(state))
		value |= UART_LSR_THRE;
	if (state->tx_count == 0)
		value |= UART_LSR_TEMT;
	state->overrun = 0;
	return value;
}

/* In loopback, the modem outputs are the modem inputs; else a peer is there and ready. */
static uint8_t msr_read(const struct serial_state *state)
{
	uint8_t mcr = state->mcr;

	if (!(mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	return (mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) | (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
	       (mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) | (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

static void fcr_write(struct serial *serial, uint8_t value)
{
	struct serial_state *state = &serial->state;

	/* Switching the FIFOs on or off empties them too. */
	if ((value & UART_FCR_CLEAR_RCVR) || ((value ^ state->fcr) & UART_FCR_ENABLE_FIFO)) {
		state->rx_count = 0;
		event_signal(serial->wake_fd);
	}
	state->fcr = value & (UART_FCR_TRIGGER_MASK | UART_FCR_ENABLE_FIFO);
	rx_restart_timeout(state);
}

/* Enabling the THRE interrupt while THR is empty raises it at once. */
static void ier_write(struct serial_state *state, uint8_t value)
{
	bool newly = (value & ~state->ier) & UART_IER_THRI;

	state->ier = value & 0x0f;
	if (newly && is_thr_empty(state))
		state->thre_pending = 1;
}

static bool is_divisor_latch_open(const struct serial_state *state)
{
	return state->lcr & UART_LCR_DLAB;
}

/* Offsets 0 and 1 while LCR.DLAB is set. */
static void divisor_write(struct serial_state *state, uint64_t offset, uint8_t value)
{
	if (offset == UART_DLL)
		state->divisor = (uint16_t)((state->divisor & 0xff00) | value);
	else
		state->divisor = (uint16_t)((state->divisor & 0x00ff) | value << 8);
	serial_set_speed(state);
}

static uint8_t serial_register_read(struct serial *serial, uint64_t offset)
{
	struct serial_state *state = &serial->state;

	if (offset <= UART_DLM && is_divisor_latch_open(state))
		return (uint8_t)(state->divisor >> (8 * offset));
	switch (offset) {
	case UART_RX:
		return rbr_read(serial);
	case UART_IER:
		return state->ier;
	case UART_IIR:
		return iir_read(state);
	case UART_LCR:
		return state->lcr;
	case UART_MCR:
		return state->mcr;
	case UART_LSR:
		return lsr_read(state);
	case UART_MSR:
		return msr_read(state);
	default:
		return state->scr;
	}
}

static VMM_REPLACEABLE void serial_register_write(struct serial *serial, uint64_t offset,
						  uint8_t value)
{
	struct serial_state *state = &serial->state;

	if (offset <= UART_DLM && is_divisor_latch_open(state)) {
		divisor_write(state, offset, value);
		return;
	}
	switch (offset) {
	case UART_TX:
		thr_write(serial, value);
		break;
	case UART_IER:
		ier_write(state, value);
		break;
	case UART_FCR:
		fcr_write(serial, value);
		break;
	case UART_LCR:
		state->lcr = value;
		serial_set_speed(state);
		break;
	case UART_MCR:
		state->mcr = value & 0x1f;
		break;
	case UART_SCR:
		state->scr = value;
		break;
	}
}

/* The bus is 8 bits wide: a wider access is one access to each register it covers. */
static void serial_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	for (unsigned i = 0; i < size; i++)
		data[i] = serial_register_read(serial, offset + i);
	interrupt_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void serial_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	for (unsigned i = 0; i < size; i++)
		serial_register_write(serial, offset + i, data[i]);
	interrupt_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

size_t serial_room(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	uint32_t capacity = rx_capacity(&serial->state);
	uint32_t count = serial->state.rx_count;
	pthread_mutex_unlock(&serial->lock);
	return count < capacity ? capacity - count : 0;
}

void serial_receive(struct serial *serial, const uint8_t *data, size_t size)
{
	pthread_mutex_lock(&serial->lock);
	for (size_t i = 0; i < size; i++)
		rx_add(&serial->state, data[i]);
	rx_restart_timeout(&serial->state);
	interrupt_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

size_t serial_peek(struct serial *serial, uint8_t *data, size_t size)
{
	struct serial_state *state = &serial->state;

	pthread_mutex_lock(&serial->lock);
	if (size > state->tx_count)
		size = state->tx_count;
	for (size_t i = 0; i < size; i++)
		data[i] = state->tx[(state->tx_head + i) % SERIAL_RING];
	pthread_mutex_unlock(&serial->lock);
	return size;
}

void serial_sent(struct serial *serial, size_t size)
{
	struct serial_state *state = &serial->state;

	pthread_mutex_lock(&serial->lock);
	state->tx_head = (state->tx_head + (uint32_t)size) % SERIAL_RING;
	state->tx_count -= (uint32_t)size;
	if (is_thr_empty(state))
		state->thre_pending = 1;
	interrupt_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

size_t serial_pending(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	size_t count = serial->state.tx_count;
	pthread_mutex_unlock(&serial->lock);
	return count;
}

uint64_t serial_timeout_in(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	uint64_t deadline = serial->state.rx_deadline;
	pthread_mutex_unlock(&serial->lock);
	if (!deadline)
		return UINT64_MAX;

	uint64_t now = clock_now_ns();

	return now < deadline ? deadline - now : 0;
}

void serial_check_timeout(struct serial *serial)
{
	struct serial_state *state = &serial->state;

	pthread_mutex_lock(&serial->lock);
	if (state->rx_deadline && clock_now_ns() >= state->rx_deadline) {
		state->rx_deadline = 0;
		state->rx_timeout = 1;
		interrupt_update(serial);
	}
	pthread_mutex_unlock(&serial->lock);
}

const struct device_ops serial_ops = {
	.name = "16550",
	.state_version = SERIAL_STATE_VERSION,
	.state_offset = offsetof(struct serial, state),
	.state_size = sizeof(struct serial_state),
	.reset = serial_reset,
	.read = serial_read,
	.write = serial_write,
};
