/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables as a guest finds them: every length and checksum, everything that is promised in
 * them; and Intel's compiler can read them and compile what it read.
 */
#include "tests/lib/suite.h"
#include "vmm/aml.h"
#include "vmm/boot.h"
#include "vmm/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER	     36
#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static struct machine machine;

static void setup(void)
{
	memset(&machine, 0, sizeof(machine));
	machine.vcpu_count = 1;
	ck_assert_ptr_null(guest_memory_create(&machine.memory, GUEST_MEMORY_MIN, NULL));
}

static void teardown(void)
{
	guest_memory_destroy(&machine.memory);
}

static uint64_t number(const uint8_t *at, unsigned size)
{
	return device_value(at, size);
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + bytes[i]);
	return total;
}

/* The table at a guest address: in its area, whole, and adding up to zero. */
static const uint8_t *table_at(uint64_t address, const char *signature, size_t *length)
{
	ck_assert_uint_ge(address, BOOT_ACPI);
	ck_assert_uint_eq(address % 8, 0);

	const uint8_t *table = guest_memory_at(&machine.memory, address, HEADER);

	*length = number(table + 4, 4);
	ck_assert_int_eq(memcmp(table, signature, 4), 0);
	ck_assert_uint_ge(*length, HEADER);
	ck_assert_uint_le(address + *length, BOOT_MPTABLE);
	ck_assert_uint_eq(sum(table, *length), 0);
	return table;
}

struct tables {
	const uint8_t *xsdt, *fadt, *madt, *dsdt;
	size_t xsdt_size, fadt_size, madt_size, dsdt_size;
};

/* Walks from the root pointer as a guest does. */
static struct tables tables_make(void)
{
	struct tables tables;
	const uint8_t *rsdp;

	ck_assert_ptr_null(acpi_write(&machine));
	rsdp = guest_memory_at(&machine.memory, BOOT_ACPI, HEADER);
	ck_assert_int_eq(memcmp(rsdp, "RSD PTR ", 8), 0);
	ck_assert_uint_eq(sum(rsdp, 20), 0);
	ck_assert_uint_eq(sum(rsdp, 36), 0);
	ck_assert_uint_eq(number(rsdp + 20, 4), 36);
	tables.xsdt = table_at(number(rsdp + 24, 8), "XSDT", &tables.xsdt_size);
	ck_assert_uint_eq(tables.xsdt_size, HEADER + 2 * 8);
	tables.fadt = table_at(number(tables.xsdt + 36, 8), "FACP", &tables.fadt_size);
	tables.madt = table_at(number(tables.xsdt + 44, 8), "APIC", &tables.madt_size);
	ck_assert_uint_eq(number(tables.fadt + 40, 4), number(tables.fadt + 140, 8));
	tables.dsdt = table_at(number(tables.fadt + 140, 8), "DSDT", &tables.dsdt_size);
	return tables;
}

START_TEST(the_tables_add_up_for_any_number_of_disks_and_processors)
{
	static const unsigned cpus[] = {1, 2, 15, OPTIONS_CPUS_MAX};

	machine.disk_count = (unsigned)_i;
	for (int i = 0; i < COUNT(cpus); i++) {
		machine.vcpu_count = cpus[i];
		tables_make();
	}
}
END_TEST

START_TEST(the_madt_lists_every_processor_once_and_the_io_apic)
{
	unsigned processors = 0, io_apics = 0;

	machine.vcpu_count = OPTIONS_CPUS_MAX;

	struct tables tables = tables_make();
	const uint8_t *end = tables.madt + tables.madt_size;

	for (const uint8_t *at = tables.madt + 44; at < end; at += at[1]) {
		ck_assert_uint_ge(at[1], 2);
		if (at[0] == 0)
			ck_assert_uint_eq(at[3], processors++);
		if (at[0] == 1)
			io_apics += number(at + 4, 4) == BOOT_IO_APIC;
		ck_assert(at + at[1] <= end);
	}
	ck_assert_uint_eq(processors, OPTIONS_CPUS_MAX);
	ck_assert_uint_eq(io_apics, 1);
}
END_TEST

/* What the FADT says of the reset and sleep registers is what the board does. */
START_TEST(a_guest_that_follows_the_fadt_resets_and_powers_off)
{
	struct tables tables = tables_make();
	struct power power = {0};

	ck_assert_uint_eq(tables.fadt_size, 276);
	ck_assert_uint_eq(number(tables.fadt + 120, 8), POWER_RESET_PORT);
	ck_assert_ptr_null(ending_create(&machine.ending));
	power.ending = &machine.ending;
	power_reset_ops.write(&power, 0, tables.fadt + 128, 1);
	ck_assert_int_eq(ending_reason(&machine.ending), ENDING_RESET);
	ending_destroy(&machine.ending);

	uint8_t sleep_enable = 1 << 5 | 5 << 2; /* ACPI 6.4 §4.8.3.7: SLP_EN, SLP_TYP of _S5 */
	uint64_t control = number(tables.fadt + 248, 8);

	ck_assert_ptr_null(ending_create(&machine.ending));
	ck_assert_uint_eq(number(tables.fadt + 260, 8), POWER_PM1A_PORT);
	power_off_ops.write(&power, control - POWER_PM1A_PORT, &sleep_enable, 1);
	ck_assert_int_eq(ending_reason(&machine.ending), ENDING_POWER_OFF);
	ending_destroy(&machine.ending);
}
END_TEST

START_TEST(each_disk_is_described_with_its_registers_and_interrupt)
{
	machine.disk_count = OPTIONS_DISKS_MAX;

	struct tables tables = tables_make();
	const uint8_t *at = tables.dsdt;

	for (unsigned i = 0; i < OPTIONS_DISKS_MAX; i++) {
		size_t left = (size_t)(tables.dsdt + tables.dsdt_size - at);
		const uint8_t memory[] = {0x86, 9, 0, 1}, interrupt[] = {0x89, 6, 0, 3, 1};

		at = memmem(at, left, "LNRO0005", 9);
		ck_assert_ptr_nonnull(at);
		left = (size_t)(tables.dsdt + tables.dsdt_size - at);
		at = memmem(at, left, memory, sizeof(memory));
		ck_assert_ptr_nonnull(at);
		ck_assert_uint_eq(number(at + 4, 4), machine_disk_address(i));
		ck_assert_uint_eq(number(at + 8, 4), VIRTIO_MMIO_SIZE);
		ck_assert_int_eq(memcmp(at + 12, interrupt, sizeof(interrupt)), 0);
		ck_assert_uint_eq(number(at + 17, 4), machine_disk_irq(i));
	}
	ck_assert_ptr_null(memmem(at, (size_t)(tables.dsdt + tables.dsdt_size - at), "LNRO", 4));
}
END_TEST

START_TEST(what_does_not_fit_is_dropped_and_remembered)
{
	uint8_t bytes[64];
	struct aml aml = {.bytes = bytes, .size = (size_t)_i};
	size_t scope = aml_begin_scope(&aml, "_SB_");
	size_t resources = aml_begin_resources(&aml);

	memset(bytes, 0xaa, sizeof(bytes));
	aml_memory(&aml, 0xd0000000, 0x200);
	aml_interrupt(&aml, 5);
	aml_end_resources(&aml, resources);
	aml_end(&aml, scope);
	ck_assert_uint_le(aml.used, aml.size);
	ck_assert(aml.overflow == (_i < 43));
	for (int i = _i; i < COUNT(bytes); i++)
		ck_assert_uint_eq(bytes[i], 0xaa);
}
END_TEST

static void table_save(const char *folder, const char *name, const uint8_t *table, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.dat", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(table, 1, size, file), size);
	fclose(file);
}

START_TEST(intels_compiler_understands_the_tables)
{
	char folder[] = "/tmp/vmm-acpi-XXXXXX";
	char command[256];

	if (system("command -v iasl >/dev/null") != 0)
		vg_test_skip("iasl is not here: install acpica-tools");
	machine.disk_count = OPTIONS_DISKS_MAX;
	machine.vcpu_count = 4;

	struct tables tables = tables_make();

	ck_assert_ptr_nonnull(mkdtemp(folder));
	table_save(folder, "xsdt", tables.xsdt, tables.xsdt_size);
	table_save(folder, "facp", tables.fadt, tables.fadt_size);
	table_save(folder, "apic", tables.madt, tables.madt_size);
	table_save(folder, "dsdt", tables.dsdt, tables.dsdt_size);
	snprintf(command, sizeof(command),
		 "cd %s && for table in xsdt facp apic dsdt; do "
		 "iasl -d $table.dat >>said 2>&1 && iasl $table.dsl >>said 2>&1 || exit 1; done &&"
		 "! grep -E 'Warning|Error|Invalid' said | grep -v ' 0 Errors, 0 Warnings'",
		 folder);
	ck_assert_int_eq(system(command), 0);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm ACPI");
	TCase *tcase = tcase_create("tables");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, the_tables_add_up_for_any_number_of_disks_and_processors, 0,
			    OPTIONS_DISKS_MAX + 1);
	tcase_add_test(tcase, the_madt_lists_every_processor_once_and_the_io_apic);
	tcase_add_test(tcase, a_guest_that_follows_the_fadt_resets_and_powers_off);
	tcase_add_test(tcase, each_disk_is_described_with_its_registers_and_interrupt);
	tcase_add_loop_test(tcase, what_does_not_fit_is_dropped_and_remembered, 0, 64);
	tcase_add_test(tcase, intels_compiler_understands_the_tables);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
