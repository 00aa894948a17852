/* SPDX-License-Identifier: MIT */
/* The 16550 as a driver and the console thread see it, without KVM. */
#include "tests/lib/suite.h"
#include "vmm/event.h"
#include "vmm/serial.h"

#include <linux/serial_reg.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

static struct serial serial;

static void setup(void)
{
	memset(&serial, 0, sizeof(serial));
	serial_prepare(&serial);
	ck_assert_ptr_null(event_create(&serial.wake_fd));
	serial_ops.reset(&serial);
}

static void teardown(void)
{
	event_destroy(&serial.wake_fd);
}

static uint8_t get(unsigned offset)
{
	uint8_t value;

	serial_ops.read(&serial, offset, &value, 1);
	return value;
}

static void set(unsigned offset, uint8_t value)
{
	serial_ops.write(&serial, offset, &value, 1);
}

static void set_divisor(uint16_t divisor)
{
	set(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	set(UART_DLL, (uint8_t)divisor);
	set(UART_DLM, (uint8_t)(divisor >> 8));
	set(UART_LCR, UART_LCR_WLEN8);
}

static bool is_woken(void)
{
	struct pollfd fd = {.fd = serial.wake_fd, .events = POLLIN};
	bool woken = poll(&fd, 1, 0) == 1;

	if (woken)
		event_clear(serial.wake_fd);
	return woken;
}

START_TEST(linux_finds_a_16550a)
{
	set(UART_FCR, UART_FCR_ENABLE_FIFO);
	ck_assert_uint_eq(get(UART_IIR) & 0xc0, 0xc0);
	set(UART_MCR, UART_MCR_LOOP | 0x0a);
	ck_assert_uint_eq(get(UART_MSR) & 0xf0, 0x90);
	set(UART_SCR, 0x5a);
	ck_assert_uint_eq(get(UART_SCR), 0x5a);
	set(UART_IER, 0xff);
	ck_assert_uint_eq(get(UART_IER), 0x0f);
}
END_TEST

START_TEST(a_divisor_gives_its_speed)
{
	set_divisor(1);
	ck_assert_uint_eq(serial.state.baud, 115200);
	ck_assert_uint_eq(serial.state.character_ns, 86805);
	set_divisor(12);
	ck_assert_uint_eq(serial.state.baud, 9600);
	set_divisor(0xffff);
	ck_assert_uint_eq(serial.state.baud, 1);
}
END_TEST

START_TEST(a_divisor_of_zero_leaves_the_speed_as_it_was)
{
	set_divisor(6);
	set_divisor(0);
	ck_assert_uint_eq(serial.state.baud, 19200);
	set(UART_LCR, UART_LCR_DLAB);
	ck_assert_uint_eq(get(UART_DLL), 0);
	ck_assert_uint_eq(get(UART_DLM), 0);
}
END_TEST

START_TEST(sent_bytes_reach_the_console_in_order)
{
	uint8_t bytes[8];

	set(UART_TX, 'a');
	ck_assert(is_woken());
	set(UART_TX, 'b');
	ck_assert(!(get(UART_LSR) & UART_LSR_TEMT));
	ck_assert_uint_eq(serial_peek(&serial, bytes, sizeof(bytes)), 2);
	ck_assert_int_eq(memcmp(bytes, "ab", 2), 0);
	serial_sent(&serial, 1);
	ck_assert_uint_eq(serial_peek(&serial, bytes, sizeof(bytes)), 1);
	ck_assert_uint_eq(bytes[0], 'b');
	serial_sent(&serial, 1);
	ck_assert(get(UART_LSR) & UART_LSR_TEMT);
}
END_TEST

START_TEST(a_full_ring_takes_thre_away_and_loses_only_what_comes_on_top)
{
	uint8_t byte;

	for (unsigned i = 0; i < SERIAL_RING + 100; i++)
		set(UART_TX, (uint8_t)i);
	ck_assert(!(get(UART_LSR) & UART_LSR_THRE));
	ck_assert_uint_eq(serial_pending(&serial), SERIAL_RING);
	for (unsigned i = 0; i < SERIAL_RING; i++) {
		ck_assert_uint_eq(serial_peek(&serial, &byte, 1), 1);
		ck_assert_uint_eq(byte, (uint8_t)i);
		serial_sent(&serial, 1);
	}
	ck_assert(get(UART_LSR) & UART_LSR_THRE);
}
END_TEST

START_TEST(the_thre_interrupt_comes_when_enabled_and_goes_when_identified)
{
	set(UART_IER, UART_IER_THRI);
	ck_assert(serial.irq.level);
	ck_assert_uint_eq(get(UART_IIR) & 0x0f, UART_IIR_THRI);
	ck_assert(!serial.irq.level);
	ck_assert_uint_eq(get(UART_IIR) & 0x0f, UART_IIR_NO_INT);
	set(UART_TX, 'x');
	ck_assert(!serial.irq.level);
	serial_sent(&serial, 1);
	ck_assert(serial.irq.level);
}
END_TEST

START_TEST(received_bytes_interrupt_until_they_are_read)
{
	set(UART_IER, UART_IER_RDI);
	ck_assert_uint_eq(serial_room(&serial), 1);
	serial_receive(&serial, (const uint8_t *)"z", 1);
	ck_assert(serial.irq.level);
	ck_assert_uint_eq(serial_room(&serial), 0);
	ck_assert_uint_eq(get(UART_IIR) & 0x0f, UART_IIR_RDI);
	ck_assert_uint_eq(get(UART_RX), 'z');
	ck_assert(!serial.irq.level);
	ck_assert(is_woken());
	ck_assert_uint_eq(serial_room(&serial), 1);
}
END_TEST

START_TEST(bytes_below_the_trigger_level_interrupt_after_four_characters)
{
	set_divisor(1);
	set(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	set(UART_IER, UART_IER_RDI);
	serial_receive(&serial, (const uint8_t *)"abc", 3);
	ck_assert_uint_le(serial_timeout_in(&serial), 4 * serial.state.character_ns);
	serial.state.rx_deadline = 1; /* long ago */
	ck_assert_uint_eq(serial_timeout_in(&serial), 0);
	serial_check_timeout(&serial);
	ck_assert(serial.irq.level);
	ck_assert_uint_eq(get(UART_IIR) & 0x0f, UART_IIR_RX_TIMEOUT);
	ck_assert_uint_eq(get(UART_RX), 'a');
	ck_assert(!serial.irq.level);
	ck_assert_uint_ne(serial_timeout_in(&serial), UINT64_MAX);
}
END_TEST

START_TEST(too_many_received_bytes_are_an_overrun_not_an_overflow)
{
	uint8_t bytes[3 * SERIAL_FIFO];

	memset(bytes, 'q', sizeof(bytes));
	set(UART_FCR, UART_FCR_ENABLE_FIFO);
	serial_receive(&serial, bytes, sizeof(bytes));
	ck_assert_uint_eq(serial.state.rx_count, SERIAL_FIFO);
	ck_assert(get(UART_LSR) & UART_LSR_OE);
	ck_assert(!(get(UART_LSR) & UART_LSR_OE));
}
END_TEST

START_TEST(loopback_gives_back_what_was_sent_and_sends_nothing)
{
	set(UART_MCR, UART_MCR_LOOP);
	set(UART_TX, 'l');
	ck_assert_uint_eq(serial_pending(&serial), 0);
	ck_assert(get(UART_LSR) & UART_LSR_DR);
	ck_assert_uint_eq(get(UART_RX), 'l');
}
END_TEST

/* A guest that switches its FIFOs off while they are full leaves no count above the capacity. */
START_TEST(switching_the_fifos_off_empties_them)
{
	uint8_t bytes[SERIAL_FIFO] = {0};

	set(UART_FCR, UART_FCR_ENABLE_FIFO);
	serial_receive(&serial, bytes, sizeof(bytes));
	set(UART_FCR, 0);
	ck_assert_uint_eq(serial_room(&serial), 1);
}
END_TEST

/* Whatever a guest writes wherever, in whatever width: no check of the sanitizers fires. */
START_TEST(random_accesses_do_no_harm)
{
	unsigned seed = 1;
	uint8_t data[8] = {0};

	for (int i = 0; i < 200000; i++) {
		unsigned size = 1u << (seed >> 7 & 3);
		unsigned offset;

		seed = seed * 1103515245 + 12345;
		offset = (seed >> 16) % SERIAL_PORTS;
		if (offset + size > SERIAL_PORTS)
			size = 1;
		memcpy(data, &seed, sizeof(seed));
		if (seed & 0x400)
			serial_ops.write(&serial, offset, data, size);
		else
			serial_ops.read(&serial, offset, data, size);
		if (i % 1000 == 0)
			serial_sent(&serial, serial_peek(&serial, data, sizeof(data)));
		serial_receive(&serial, data, serial_room(&serial) ? 1 : 0);
		serial_check_timeout(&serial);
	}
	ck_assert_uint_le(serial_pending(&serial), SERIAL_RING);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm serial");
	TCase *tcase = tcase_create("16550");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, linux_finds_a_16550a);
	tcase_add_test(tcase, a_divisor_gives_its_speed);
	tcase_add_test(tcase, a_divisor_of_zero_leaves_the_speed_as_it_was);
	tcase_add_test(tcase, sent_bytes_reach_the_console_in_order);
	tcase_add_test(tcase, a_full_ring_takes_thre_away_and_loses_only_what_comes_on_top);
	tcase_add_test(tcase, the_thre_interrupt_comes_when_enabled_and_goes_when_identified);
	tcase_add_test(tcase, received_bytes_interrupt_until_they_are_read);
	tcase_add_test(tcase, bytes_below_the_trigger_level_interrupt_after_four_characters);
	tcase_add_test(tcase, too_many_received_bytes_are_an_overrun_not_an_overflow);
	tcase_add_test(tcase, loopback_gives_back_what_was_sent_and_sends_nothing);
	tcase_add_test(tcase, switching_the_fifos_off_empties_them);
	tcase_add_test(tcase, random_accesses_do_no_harm);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
