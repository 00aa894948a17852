/* SPDX-License-Identifier: MIT */
/* A Linux guest on vgraft-vmm: boots to a shell, and what it wrote is on its disk. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/ext4.h"
#include "tests/lib/linux_guest.h"
#include "tests/lib/suite.h"

#define DISK_MIB 64

/* A checked file per turn, flushed before its checksum is told. */
#define WRITE_FILES                                                                                \
	"for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=/mnt/file$i bs=64k count=8 "           \
	"conv=fsync "                                                                              \
	"2>/dev/null || exit 1; done; (cd /mnt && sha256sum file*)"

static void need_linux(const char *test)
{
	if (vg_linux_guest_why_not())
		vg_test_skip_at(test, "%s", vg_linux_guest_why_not());
}

static const char *const protocols[] = {"pvh", "linux64"};

START_TEST(linux_boots_to_a_shell_by_either_protocol)
{
	struct vg_guest_options options = {.boot = protocols[_i]};
	_cleanup_guest_ struct vg_guest *guest = NULL;
	_cleanup_free_ char *output = NULL;
	int status;

	if (vg_linux_guest_why_not_boot())
		vg_test_skip("%s", vg_linux_guest_why_not_boot());
	vg_must(vg_linux_guest_start(&options, &guest));
	vg_must(vg_linux_guest_must_run(guest, "echo $((6 * 7)) && uname -s", &output));
	ck_assert_str_eq(output, "42\nLinux\n");
	vg_must(vg_linux_guest_run(guest, "false", &status, NULL));
	ck_assert_int_eq(status, 1);
	vg_must(vg_linux_guest_reboot(guest));
}
END_TEST

START_TEST(what_linux_wrote_and_flushed_is_on_the_disk)
{
	char disk[PATH_MAX];
	_cleanup_free_ char *written = NULL, *read_back = NULL;
	struct vg_guest_options options = {.disk = disk};

	need_linux(__func__);
	vg_must(vg_ext4_make(disk, DISK_MIB));
	for (int boot = 0; boot < 2; boot++) {
		_cleanup_guest_ struct vg_guest *guest = NULL;

		vg_must(vg_linux_guest_start(&options, &guest));
		vg_must(vg_linux_guest_must_run(guest, "mount -t ext4 /dev/vda /mnt", NULL));
		if (boot == 0)
			vg_must(vg_linux_guest_must_run(guest, WRITE_FILES, &written));
		else
			vg_must(vg_linux_guest_must_run(guest, "(cd /mnt && sha256sum file*)",
							&read_back));
		vg_must(vg_linux_guest_must_run(guest, "umount /mnt", NULL));
		vg_must(vg_linux_guest_reboot(guest));
		vg_must(vg_ext4_check(disk));
	}
	ck_assert_str_eq(written, read_back);
	vg_must(vg_ext4_check_sums(disk, written));
	unlink(disk);
}
END_TEST

/* Debian's kernel looks nowhere else. And ACPI is the only way for Linux to power off. */
START_TEST(linux_finds_its_disk_and_powers_off_by_acpi)
{
	char disk[PATH_MAX];
	_cleanup_free_ char *devices = NULL;
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_guest_options options = {.disk = disk, .append = "acpi=on"};

	need_linux(__func__);
	vg_must(vg_ext4_make(disk, DISK_MIB));
	vg_must(vg_linux_guest_start(&options, &guest));
	vg_must(vg_linux_guest_must_run(guest, "readlink -f /sys/block/vda/device", &devices));
	ck_assert_msg(strstr(devices, "/LNRO0005:00/") != NULL, "vda is %s", devices);
	vg_must(vg_linux_guest_must_run(guest, "mount -t ext4 /dev/vda /mnt", NULL));
	vg_must(vg_linux_guest_must_run(guest, WRITE_FILES " && umount /mnt", NULL));
	vg_must(vg_process_send(vg_guest_process(guest), "poweroff -f\n"));
	vg_must(vg_process_wait_end(vg_guest_process(guest)));
	ck_assert_int_eq(vg_process_exit_code(vg_guest_process(guest)), 0);
	vg_must(vg_ext4_check(disk));
	unlink(disk);
}
END_TEST

/* fsync's promise: what was flushed outlives the VMM, without an orderly end. */
START_TEST(what_linux_flushed_outlives_a_killed_vmm)
{
	char disk[PATH_MAX];
	_cleanup_free_ char *written = NULL;
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_guest_options options = {.disk = disk};

	need_linux(__func__);
	vg_must(vg_ext4_make(disk, DISK_MIB));
	vg_must(vg_linux_guest_start(&options, &guest));
	vg_must(vg_linux_guest_must_run(guest, "mount -t ext4 /dev/vda /mnt", NULL));
	vg_must(vg_linux_guest_must_run(guest, WRITE_FILES, &written));
	vg_must(vg_linux_guest_must_run(guest, "sync", NULL));
	vg_guest_stop(vg_take(guest));
	vg_must(vg_ext4_recover(disk));
	vg_must(vg_ext4_check(disk));
	vg_must(vg_ext4_check_sums(disk, written));
	unlink(disk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm linux guest");
	TCase *linux_guest = tcase_create("linux");

	tcase_set_timeout(linux_guest, 10 * VG_HANG_SECONDS);
	tcase_add_loop_test(linux_guest, linux_boots_to_a_shell_by_either_protocol, 0,
			    sizeof(protocols) / sizeof(protocols[0]));
	tcase_add_test(linux_guest, what_linux_wrote_and_flushed_is_on_the_disk);
	tcase_add_test(linux_guest, linux_finds_its_disk_and_powers_off_by_acpi);
	tcase_add_test(linux_guest, what_linux_flushed_outlives_a_killed_vmm);
	suite_add_tcase(suite, linux_guest);
	return vg_suite_run(suite);
}
