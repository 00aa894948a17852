/* SPDX-License-Identifier: MIT */
/* The small devices of the board, and the bus that they are on. */
#include "tests/lib/suite.h"
#include "vmm/bus.h"
#include "vmm/i8042.h"
#include "vmm/power.h"
#include "vmm/rtc_cmos.h"

#include <string.h>
#include <time.h>

#define MIB UINT64_C(1048576)

static struct bus bus;
static struct ending ending;
static struct guest_memory memory;
static struct i8042 i8042;
static struct power power;
static struct rtc_cmos rtc;

static void add(uint64_t base, uint64_t size, const struct device_ops *ops, void *device)
{
	bus_add(&bus, base, size, ops, device);
	ops->reset(device);
}

static void setup(void)
{
	memset(&bus, 0, sizeof(bus));
	ck_assert_ptr_null(ending_create(&ending));
	ck_assert_ptr_null(guest_memory_create(&memory, 256 * MIB, NULL));
	i8042_prepare(&i8042, &ending);
	rtc_cmos_prepare(&rtc, &memory, 3);
	power.ending = &ending;
	add(I8042_DATA_PORT, 1, &i8042_data_ops, &i8042);
	add(I8042_COMMAND_PORT, 1, &i8042_command_ops, &i8042);
	add(RTC_PORT, RTC_PORTS, &rtc_cmos_ops, &rtc);
	add(POWER_PM1A_PORT, 2, &power_off_ops, &power);
	add(POWER_RESET_PORT, 1, &power_reset_ops, &power);
}

static void teardown(void)
{
	guest_memory_destroy(&memory);
	ending_destroy(&ending);
}

static uint8_t in(uint64_t port)
{
	uint8_t value;

	bus_read(&bus, port, &value, 1);
	return value;
}

static void out(uint64_t port, uint8_t value)
{
	bus_write(&bus, port, &value, 1);
}

static uint8_t cell(uint8_t index)
{
	out(RTC_PORT, index);
	return in(RTC_PORT + 1);
}

static void cell_set(uint8_t index, uint8_t value)
{
	out(RTC_PORT, index);
	out(RTC_PORT + 1, value);
}

START_TEST(what_no_device_claims_reads_as_ones)
{
	uint8_t data[4] = {0};

	bus_read(&bus, 0xcfc, data, sizeof(data));
	ck_assert_uint_eq(device_value(data, 4), UINT32_MAX);
	bus_write(&bus, 0xcfc, data, sizeof(data));
	/* Wider than the device: nobody's. */
	bus_read(&bus, RTC_PORT, data, 4);
	ck_assert_uint_eq(device_value(data, 4), UINT32_MAX);
	bus_read(&bus, UINT64_MAX, data, 4);
	ck_assert_uint_eq(device_value(data, 4), UINT32_MAX);
}
END_TEST

START_TEST(the_reset_command_ends_the_machine)
{
	out(I8042_COMMAND_PORT, 0xfe);
	ck_assert_int_eq(ending_reason(&ending), ENDING_RESET);
}
END_TEST

START_TEST(the_reset_line_of_the_output_port_ends_the_machine)
{
	out(I8042_COMMAND_PORT, 0xd1);
	out(I8042_DATA_PORT, 0x03);
	ck_assert_int_eq(ending_reason(&ending), ENDING_NONE);
	out(I8042_COMMAND_PORT, 0xd1);
	out(I8042_DATA_PORT, 0x02);
	ck_assert_int_eq(ending_reason(&ending), ENDING_RESET);
}
END_TEST

START_TEST(the_keyboard_controller_passes_its_self_test)
{
	out(I8042_COMMAND_PORT, 0xaa);
	ck_assert_uint_eq(in(I8042_COMMAND_PORT)&3, 1);
	ck_assert_uint_eq(in(I8042_DATA_PORT), 0x55);
	ck_assert_uint_eq(in(I8042_COMMAND_PORT)&3, 0);
	out(I8042_COMMAND_PORT, 0x60);
	out(I8042_DATA_PORT, 0x47);
	out(I8042_COMMAND_PORT, 0x20);
	ck_assert_uint_eq(in(I8042_DATA_PORT), 0x47);
}
END_TEST

START_TEST(slp_en_powers_off)
{
	uint8_t data[2] = {0x00, 0x20};

	bus_write(&bus, POWER_PM1A_PORT, data, 1);
	ck_assert_int_eq(ending_reason(&ending), ENDING_NONE);
	bus_write(&bus, POWER_PM1A_PORT, data, 2);
	ck_assert_int_eq(ending_reason(&ending), ENDING_POWER_OFF);
	/* The first reason stays. */
	out(POWER_RESET_PORT, 0x06);
	ck_assert_int_eq(ending_reason(&ending), ENDING_POWER_OFF);
}
END_TEST

START_TEST(cmos_tells_the_memory_and_the_processors)
{
	ck_assert_uint_eq(cell(0x15) | cell(0x16) << 8, 640);
	ck_assert_uint_eq(cell(0x30) | cell(0x31) << 8, UINT16_MAX);
	ck_assert_uint_eq(cell(0x34) | cell(0x35) << 8, (uint64_t)240 * 16);
	ck_assert_uint_eq(cell(0x5f), 2);
	ck_assert_uint_eq(cell(0x0d), 0x80);
	ck_assert_uint_eq(cell(0x0a) & 0x80, 0);
}
END_TEST

START_TEST(the_clock_shows_utc)
{
	time_t now = time(NULL);
	struct tm date;

	cell_set(0x0b, 0x06); /* binary, 24 hours */
	gmtime_r(&now, &date);
	ck_assert_uint_eq(cell(0x32) * 100 + cell(0x09), date.tm_year + 1900);

	int difference = cell(0x04) * 3600 + cell(0x02) * 60 + cell(0x00) -
			 (date.tm_hour * 3600 + date.tm_min * 60 + date.tm_sec);

	ck_assert((difference + 86400) % 86400 <= 60);
}
END_TEST

START_TEST(a_clock_that_was_set_goes_on_from_there)
{
	cell_set(0x0b, 0x82); /* SET, BCD, 24 hours */
	cell_set(0x32, 0x19);
	cell_set(0x09, 0x99);
	cell_set(0x08, 0x12);
	cell_set(0x07, 0x31);
	cell_set(0x04, 0x23);
	cell_set(0x02, 0x10);
	cell_set(0x00, 0x05);
	cell_set(0x0b, 0x02);
	ck_assert_uint_eq(cell(0x32), 0x19);
	ck_assert_uint_eq(cell(0x09), 0x99);
	ck_assert_uint_eq(cell(0x08), 0x12);
	ck_assert_uint_eq(cell(0x07), 0x31);
	ck_assert_uint_eq(cell(0x04), 0x23);
	ck_assert_uint_eq(cell(0x06), 6); /* that was a Friday */
	cell_set(0x0b, 0x00);		  /* 12 hours */
	ck_assert_uint_eq(cell(0x04), 0x91);
}
END_TEST

START_TEST(a_periodic_rate_of_zero_is_no_rate)
{
	cell_set(0x0a, 0x26);
	ck_assert_uint_eq(rtc.state.period_ns, 976562);
	cell_set(0x0a, 0x2f);
	ck_assert_uint_eq(rtc.state.period_ns, 500000000);
	cell_set(0x0a, 0x21);
	ck_assert_uint_eq(rtc.state.period_ns, 3906250);
	cell_set(0x0a, 0x20);
	ck_assert_uint_eq(rtc.state.period_ns, 0);
	rtc.state.flags_read_ns = 0;
	ck_assert_uint_eq(cell(0x0c), 0x10);
}
END_TEST

/* Every value in every cell, then every cell read: nonsense dates included. */
START_TEST(no_value_in_any_cell_does_harm)
{
	for (unsigned index = 0; index < 256; index++)
		for (unsigned value = 0; value < 256; value += 5) {
			cell_set((uint8_t)index, (uint8_t)value);
			for (unsigned other = 0; other < 14; other++)
				cell((uint8_t)other);
		}
	ck_assert_int_eq(ending_reason(&ending), ENDING_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm board");
	TCase *tcase = tcase_create("small devices");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_no_device_claims_reads_as_ones);
	tcase_add_test(tcase, the_reset_command_ends_the_machine);
	tcase_add_test(tcase, the_reset_line_of_the_output_port_ends_the_machine);
	tcase_add_test(tcase, the_keyboard_controller_passes_its_self_test);
	tcase_add_test(tcase, slp_en_powers_off);
	tcase_add_test(tcase, cmos_tells_the_memory_and_the_processors);
	tcase_add_test(tcase, the_clock_shows_utc);
	tcase_add_test(tcase, a_clock_that_was_set_goes_on_from_there);
	tcase_add_test(tcase, a_periodic_rate_of_zero_is_no_rate);
	tcase_add_test(tcase, no_value_in_any_cell_does_harm);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
