/* SPDX-License-Identifier: MIT */
#include "vmm/rtc_cmos.h"

#include "vmm/clock.h"
#include "vmm/replaceable.h"

#include <stdbool.h>

enum {
	CELL_SECONDS = 0x00,
	CELL_MINUTES = 0x02,
	CELL_HOURS = 0x04,
	CELL_WEEKDAY = 0x06,
	CELL_DAY = 0x07,
	CELL_MONTH = 0x08,
	CELL_YEAR = 0x09,
	CELL_A = 0x0a,
	CELL_B = 0x0b,
	CELL_C = 0x0c,
	CELL_D = 0x0d,
	CELL_CENTURY = 0x32,
};

#define A_RATE	   0x0f
#define A_UIP	   0x80
#define A_DIVIDER  0x20 /* the 32,768 Hz time base runs */
#define B_24_HOURS 0x02
#define B_BINARY   0x04
#define B_SET	   0x80
#define C_UPDATED  0x10
#define C_PERIODIC 0x40
#define D_VALID	   0x80

#define SECOND_NS UINT64_C(1000000000)

void rtc_cmos_prepare(struct rtc_cmos *rtc, const struct guest_memory *memory, unsigned cpus)
{
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->memory_low = guest_memory_low_end(memory);
	rtc->memory_high = memory->size - rtc->memory_low;
	rtc->cpus = cpus;
}

/*
 * The periodic flag's time from the rate in register A (data sheet, table 5). Rates 1 and 2
 * repeat 8 and 9; rate 0 is no rate.
 */
static VMM_REPLACEABLE uint64_t period_of_rate(unsigned rate)
{
	if (rate == 0)
		return 0;
	if (rate <= 2)
		rate += 7;

	unsigned hertz = 32768u >> (rate - 1);

	return SECOND_NS / hertz;
}

static void cell_set_word(struct rtc_state *state, unsigned low, uint64_t value)
{
	if (value > UINT16_MAX)
		value = UINT16_MAX;
	state->cells[low] = (uint8_t)value;
	state->cells[low + 1] = (uint8_t)(value >> 8);
}

static void memory_cells_fill(struct rtc_cmos *rtc)
{
	struct rtc_state *state = &rtc->state;
	uint64_t low = rtc->memory_low;
	uint64_t above_1m = low > (1 << 20) ? (low - (1 << 20)) >> 10 : 0;
	uint64_t above_16m = low > (16 << 20) ? (low - (16 << 20)) >> 16 : 0;

	cell_set_word(state, 0x15, 640);
	cell_set_word(state, 0x17, above_1m);
	cell_set_word(state, 0x30, above_1m);
	cell_set_word(state, 0x34, above_16m);
	for (unsigned i = 0; i < 3; i++)
		state->cells[0x5b + i] = (uint8_t)(rtc->memory_high >> (16 + 8 * i));
	state->cells[0x5f] = (uint8_t)(rtc->cpus - 1);
}

static void rtc_cmos_reset(void *opaque)
{
	struct rtc_cmos *rtc = opaque;

	rtc->state = (struct rtc_state){
		.version = RTC_STATE_VERSION,
		.flags_read_ns = clock_now_ns(),
		.cells = {[CELL_A] = A_DIVIDER | 6, [CELL_B] = B_24_HOURS, [CELL_D] = D_VALID},
	};
	rtc->state.period_ns = period_of_rate(6);
	memory_cells_fill(rtc);
}

static uint8_t encode(const struct rtc_state *state, int value)
{
	if (state->cells[CELL_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 << 4 | value % 10);
}

static int decode(const struct rtc_state *state, uint8_t value)
{
	if (state->cells[CELL_B] & B_BINARY)
		return value;
	return (value >> 4) * 10 + (value & 0x0f);
}

/* In 12-hour mode bit 7 means p.m. and both noon and midnight are 12. */
static uint8_t encode_hours(const struct rtc_state *state, int hours)
{
	if (state->cells[CELL_B] & B_24_HOURS)
		return encode(state, hours);
	return encode(state, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? 0x80 : 0);
}

static int decode_hours(const struct rtc_state *state, uint8_t value)
{
	if (state->cells[CELL_B] & B_24_HOURS)
		return decode(state, value);
	return decode(state, value & 0x7f) % 12 + (value & 0x80 ? 12 : 0);
}

/* Puts the guest's present time into the time cells. */
static void time_cells_fill(struct rtc_state *state)
{
	time_t now = time(NULL) + (time_t)state->offset_s;
	uint8_t *cells = state->cells;
	struct tm date;

	gmtime_r(&now, &date);
	cells[CELL_SECONDS] = encode(state, date.tm_sec);
	cells[CELL_MINUTES] = encode(state, date.tm_min);
	cells[CELL_HOURS] = encode_hours(state, date.tm_hour);
	cells[CELL_WEEKDAY] = encode(state, date.tm_wday + 1);
	cells[CELL_DAY] = encode(state, date.tm_mday);
	cells[CELL_MONTH] = encode(state, date.tm_mon + 1);
	cells[CELL_YEAR] = encode(state, date.tm_year % 100);
	cells[CELL_CENTURY] = encode(state, date.tm_year / 100 + 19);
}

/* Moves the guest's clock to what the time cells say. timegm() takes any numbers. */
static void time_cells_take(struct rtc_state *state)
{
	const uint8_t *cells = state->cells;
	struct tm date = {
		.tm_sec = decode(state, cells[CELL_SECONDS]),
		.tm_min = decode(state, cells[CELL_MINUTES]),
		.tm_hour = decode_hours(state, cells[CELL_HOURS]),
		.tm_mday = decode(state, cells[CELL_DAY]),
		.tm_mon = decode(state, cells[CELL_MONTH]) - 1,
		.tm_year = (decode(state, cells[CELL_CENTURY]) - 19) * 100 +
			   decode(state, cells[CELL_YEAR]),
	};

	state->offset_s = (int64_t)(timegm(&date) - time(NULL));
}

static bool is_clock_cell(unsigned cell)
{
	bool is_alarm = cell == 0x01 || cell == 0x03 || cell == 0x05;

	return (cell <= CELL_YEAR && !is_alarm) || cell == CELL_CENTURY;
}

static bool is_clock_held(const struct rtc_state *state)
{
	return state->cells[CELL_B] & B_SET;
}

/* Flags that came since the last read; reading takes them back. */
static uint8_t flags_read(struct rtc_state *state)
{
	uint64_t now = clock_now_ns();
	uint64_t elapsed = now - state->flags_read_ns;
	uint8_t flags = 0;

	if (elapsed >= SECOND_NS)
		flags |= C_UPDATED;
	if (state->period_ns && elapsed >= state->period_ns)
		flags |= C_PERIODIC;
	if (flags)
		state->flags_read_ns = now;
	return flags;
}

static uint8_t cell_read(struct rtc_state *state, unsigned cell)
{
	if (cell == CELL_C)
		return flags_read(state);
	if (is_clock_cell(cell) && !is_clock_held(state))
		time_cells_fill(state);
	return state->cells[cell];
}

static void register_a_write(struct rtc_state *state, uint8_t value)
{
	state->cells[CELL_A] = value & ~A_UIP;
	state->period_ns = period_of_rate(value & A_RATE);
}

/* While SET is on, the cells hold still so that a guest can write them one by one. */
static void register_b_write(struct rtc_state *state, uint8_t value)
{
	bool was_held = is_clock_held(state);

	if (!was_held)
		time_cells_fill(state);
	if (was_held && !(value & B_SET))
		time_cells_take(state);
	state->cells[CELL_B] = value;
}

static void clock_cell_write(struct rtc_state *state, unsigned cell, uint8_t value)
{
	if (!is_clock_held(state))
		time_cells_fill(state);
	state->cells[cell] = value;
	if (!is_clock_held(state))
		time_cells_take(state);
}

static VMM_REPLACEABLE void rtc_cell_write(struct rtc_state *state, unsigned cell, uint8_t value)
{
	if (cell == CELL_A)
		register_a_write(state, value);
	else if (cell == CELL_B)
		register_b_write(state, value);
	else if (is_clock_cell(cell))
		clock_cell_write(state, cell, value);
	else if (cell != CELL_C && cell != CELL_D)
		state->cells[cell] = value;
}

static void rtc_cmos_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct rtc_cmos *rtc = opaque;
	uint8_t value = 0xff; /* the index cannot be read back */

	pthread_mutex_lock(&rtc->lock);
	if (offset == 1)
		value = cell_read(&rtc->state, rtc->state.index);
	pthread_mutex_unlock(&rtc->lock);
	device_answer(data, size, value);
}

static void rtc_cmos_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct rtc_cmos *rtc = opaque;

	pthread_mutex_lock(&rtc->lock);
	for (unsigned i = 0; i < size; i++) {
		if (offset + i == 0)
			rtc->state.index = data[i] & (RTC_CELLS - 1);
		else
			rtc_cell_write(&rtc->state, rtc->state.index, data[i]);
	}
	pthread_mutex_unlock(&rtc->lock);
}

const struct device_ops rtc_cmos_ops = {
	.name = "rtc",
	.state_version = RTC_STATE_VERSION,
	.state_offset = offsetof(struct rtc_cmos, state),
	.state_size = sizeof(struct rtc_state),
	.reset = rtc_cmos_reset,
	.read = rtc_cmos_read,
	.write = rtc_cmos_write,
};
