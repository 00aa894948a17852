/* SPDX-License-Identifier: MIT */
/* A Linux guest on vgraft-vmm: boots to a shell, and what it wrote is on its disk. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
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

static void make_ext4(const char *disk)
{
	const char *const make[] = {"/sbin/mkfs.ext4", "-q", "-F", disk, NULL};

	vg_must(vg_process_must_run(make));
}

static void make_disk(char disk[PATH_MAX])
{
	snprintf(disk, PATH_MAX, "%s/tests/linux/disk.XXXXXX", vg_build_folder());

	int fd = mkstemp(disk);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, DISK_MIB << 20), 0);
	close(fd);
	make_ext4(disk);
}

START_TEST(linux_boots_to_a_shell)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	_cleanup_free_ char *output = NULL;
	int status;

	if (vg_linux_guest_why_not_boot())
		vg_test_skip("%s", vg_linux_guest_why_not_boot());
	vg_must(vg_linux_guest_start(&(struct vg_guest_options){0}, &guest));
	vg_must(vg_linux_guest_must_run(guest, "echo $((6 * 7)) && uname -s", &output));
	ck_assert_str_eq(output, "42\nLinux\n");
	vg_must(vg_linux_guest_run(guest, "false", &status, NULL));
	ck_assert_int_eq(status, 1);
	vg_must(vg_linux_guest_reboot(guest));
}
END_TEST

static void check_file_system(const char *disk)
{
	const char *const check[] = {"/sbin/fsck.ext4", "-fn", disk, NULL};

	vg_must(vg_process_must_run(check));
}

/* As the host sees them, through another implementation of ext4. */
static void check_sums(const char *disk, const char *sums)
{
	char command[16384];
	const char *const shell[] = {"/bin/sh", "-c", command, NULL};

	snprintf(command, sizeof(command),
		 "set -e; out=$(mktemp -d); trap 'rm -rf $out' EXIT; cd $out\n"
		 "for i in 1 2 3 4 5 6 7 8; do /sbin/debugfs -R \"dump file$i file$i\" %s; done\n"
		 "sha256sum -c --strict <<'END'\n%sEND\n",
		 disk, sums);
	vg_must(vg_process_must_run(shell));
}

START_TEST(what_linux_wrote_and_flushed_is_on_the_disk)
{
	char disk[PATH_MAX];
	_cleanup_free_ char *written = NULL, *read_back = NULL;
	struct vg_guest_options options = {.disk = disk};

	need_linux(__func__);
	make_disk(disk);
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
		check_file_system(disk);
	}
	ck_assert_str_eq(written, read_back);
	check_sums(disk, written);
	unlink(disk);
}
END_TEST

/* fsync's promise: what was flushed outlives the VMM, without an orderly end. */
START_TEST(what_linux_flushed_outlives_a_killed_vmm)
{
	char disk[PATH_MAX];
	_cleanup_free_ char *written = NULL;
	_cleanup_guest_ struct vg_guest *guest = NULL;
	const char *const recover[] = {"/sbin/fsck.ext4", "-p", disk, NULL};
	struct vg_guest_options options = {.disk = disk};
	int code;

	need_linux(__func__);
	make_disk(disk);
	vg_must(vg_linux_guest_start(&options, &guest));
	vg_must(vg_linux_guest_must_run(guest, "mount -t ext4 /dev/vda /mnt", NULL));
	vg_must(vg_linux_guest_must_run(guest, WRITE_FILES, &written));
	vg_must(vg_linux_guest_must_run(guest, "sync", NULL));
	vg_guest_stop(vg_take(guest));
	vg_must(vg_process_run(recover, &code, NULL)); /* replays the journal: 0 or 1 */
	ck_assert_int_le(code, 1);
	check_file_system(disk);
	check_sums(disk, written);
	unlink(disk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm linux guest");
	TCase *linux_guest = tcase_create("linux");

	tcase_set_timeout(linux_guest, 10 * VG_HANG_SECONDS);
	tcase_add_test(linux_guest, linux_boots_to_a_shell);
	tcase_add_test(linux_guest, what_linux_wrote_and_flushed_is_on_the_disk);
	tcase_add_test(linux_guest, what_linux_flushed_outlives_a_killed_vmm);
	suite_add_tcase(suite, linux_guest);
	return vg_suite_run(suite);
}
