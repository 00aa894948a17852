/* SPDX-License-Identifier: MIT */
/* What the guest finds before it runs: its command line and the MP table. */
#include "tests/lib/suite.h"
#include "vmm/boot.h"
#include "vmm/machine.h"

#include <string.h>

#define DISK "virtio_mmio.device=0x200@0xd0000000:5"

static struct boot boot;
static struct machine machine;

static void setup(void)
{
	memset(&boot, 0, sizeof(boot));
	memset(&machine, 0, sizeof(machine));
	machine.vcpu_count = 1;
	ck_assert_ptr_null(guest_memory_create(&machine.memory, GUEST_MEMORY_MIN, NULL));
}

static void teardown(void)
{
	guest_memory_destroy(&machine.memory);
}

static void becomes(const char *append, const char *expected)
{
	memset(boot.cmdline, 0, sizeof(boot.cmdline));
	ck_assert_ptr_null(boot_cmdline(&boot, &machine, append));
	ck_assert_str_eq(boot.cmdline, expected);
}

START_TEST(any_guest_is_told_where_its_disks_are)
{
	becomes(NULL, "");
	becomes("mode=io", "mode=io");
	machine.disk_count = 1;
	becomes(NULL, DISK);
	becomes("mode=io", "mode=io " DISK);
	machine.disk_count = 2;
	becomes("", DISK " virtio_mmio.device=0x200@0xd0001000:10");
}
END_TEST

START_TEST(linux_is_told_what_it_cannot_find_out)
{
	boot.kernel.is_linux = true;
	becomes(NULL, "console=ttyS0 reboot=k pci=off");
	becomes("quiet", "quiet console=ttyS0 reboot=k pci=off");
	machine.kvm.paravirtual = true;
	becomes("quiet", "quiet console=ttyS0 reboot=k pci=off no-kvmapf "
			 "clearcpuid=smep,smap,fsgsbase,pcid,invpcid");
}
END_TEST

START_TEST(what_the_user_says_is_not_said_again)
{
	boot.kernel.is_linux = true;
	becomes("console=tty0 reboot=t pci=conf1", "console=tty0 reboot=t pci=conf1");
	becomes("netconsole=x", "netconsole=x console=ttyS0 reboot=k pci=off");
}
END_TEST

START_TEST(what_is_for_init_stays_behind)
{
	machine.disk_count = 1;
	becomes("root=/dev/vda -- -s console=x", "root=/dev/vda " DISK " -- -s console=x");
	becomes("a --b c--d", "a --b c--d " DISK);
	becomes("--", DISK " --");
	boot.kernel.is_linux = true;
	machine.disk_count = 0;
	becomes("-- console=x", "console=ttyS0 reboot=k pci=off -- console=x");
}
END_TEST

START_TEST(a_command_line_that_is_too_long_is_refused_not_cut)
{
	char line[BOOT_CMDLINE_MAX + 2];
	struct vmm_error *error;

	memset(line, 'x', sizeof(line));
	line[BOOT_CMDLINE_MAX] = '\0';
	ck_assert_ptr_null(boot_cmdline(&boot, &machine, line));
	machine.disk_count = 1;
	error = boot_cmdline(&boot, &machine, line);
	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	vmm_error_free(error);
	machine.disk_count = 0;
	line[BOOT_CMDLINE_MAX] = 'x';
	line[BOOT_CMDLINE_MAX + 1] = '\0';
	error = boot_cmdline(&boot, &machine, line);
	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	vmm_error_free(error);
}
END_TEST

static uint8_t sum(const uint8_t *bytes, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + bytes[i]);
	return total;
}

/* Walks the entries as a guest does and counts the processors. */
static unsigned processors_in(const uint8_t *table, unsigned length, unsigned entries)
{
	const uint8_t *at = table + 44;
	unsigned processors = 0;

	for (; entries > 0; entries--) {
		processors += at[0] == 0;
		at += at[0] == 0 ? 20 : 8;
	}
	ck_assert_ptr_eq(at, table + length);
	return processors;
}

START_TEST(the_mp_table_lists_every_processor_and_adds_up)
{
	static const unsigned counts[] = {1, 2, 14, 15, OPTIONS_CPUS_MAX};
	const uint8_t *pointer = guest_memory_at(&machine.memory, BOOT_MPTABLE, 0x10000);
	const uint8_t *table = pointer + 16;

	machine.vcpu_count = counts[_i];
	ck_assert_ptr_null(mptable_write(&machine));
	ck_assert_int_eq(memcmp(pointer, "_MP_", 4), 0);
	ck_assert_uint_eq(sum(pointer, 16), 0);
	ck_assert_int_eq(memcmp(table, "PCMP", 4), 0);

	unsigned length = table[4] | table[5] << 8;

	ck_assert_uint_eq(sum(table, length), 0);
	ck_assert_uint_eq(processors_in(table, length, table[34] | table[35] << 8), counts[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm boot");
	TCase *tcase = tcase_create("before the guest runs");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, any_guest_is_told_where_its_disks_are);
	tcase_add_test(tcase, linux_is_told_what_it_cannot_find_out);
	tcase_add_test(tcase, what_the_user_says_is_not_said_again);
	tcase_add_test(tcase, what_is_for_init_stays_behind);
	tcase_add_test(tcase, a_command_line_that_is_too_long_is_refused_not_cut);
	tcase_add_loop_test(tcase, the_mp_table_lists_every_processor_and_adds_up, 0, 5);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
