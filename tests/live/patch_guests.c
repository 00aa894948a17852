/* SPDX-License-Identifier: MIT */
/*
 * Apply and revert on the live VMM, under guests that do checked I/O: ten cycles each, through a
 * function that every request runs through. Nothing is lost, torn or repeated, no write fails, the
 * file system stays clean.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/command.h"
#include "tests/lib/ext4.h"
#include "tests/lib/linux_guest.h"
#include "tests/lib/suite.h"
#include "tests/lib/vulnerable_vmm.h"

#define BUG	 "blk-get-id"
#define CYCLES	 10
#define DISK_MIB 64

/* Files are written over and over, each flushed; /tmp/n counts them. */
#define START_WRITER                                                                               \
	"(n=0; while [ ! -e /tmp/stop ]; do n=$((n+1)); "                                          \
	"dd if=/dev/urandom of=/mnt/file$((n % 100)) bs=16k count=4 conv=fsync 2>/dev/null || "    \
	"echo $n >>/tmp/failed; echo $n >/tmp/n; done; touch /tmp/ended) &"
#define WAIT_FOR_WRITES                                                                            \
	"old=$(cat /tmp/n); while [ $(($(cat /tmp/n) + 0)) -lt $((old + 3)) ]; do :; done"
#define END_WRITER "touch /tmp/stop; while [ ! -e /tmp/ended ]; do :; done; [ ! -e /tmp/failed ]"

static struct vg_vulnerable_vmm vmm;
static char object[PATH_MAX + 16];

static void build_patch(void)
{
	_cleanup_answer_ json_t *answer = NULL;

	if (vg_guest_why_not())
		return; /* each test says so and skips */
	vg_must(vg_vulnerable_vmm_build(BUG, &vmm));
	snprintf(object, sizeof(object), "%s.%d.vgp", vmm.source, getpid());
	vg_must(vg_command_must((const char *const[]){"build", "--source", vmm.source, "--diff",
						      vmm.fix, "--compdb", vmm.compdb, "--target",
						      vmm.program, "--name", BUG, "-o", object,
						      NULL},
				&answer));
}

static void remove_patch(void)
{
	unlink(object);
}

static void run_verb(const struct vg_guest *guest, const char *verb, const char *subject,
		     const char *expected)
{
	_cleanup_answer_ json_t *answer = NULL;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", vg_guest_pid(guest));
	vg_must(vg_command_must(
		(const char *const[]){verb, subject, "--pid", pid, "--timeout", "30", NULL},
		&answer));
	ck_assert_str_eq(vg_answer_text(answer, "result"), expected);
}

static void start_test_guest(unsigned cpus, struct vg_guest **guest)
{
	if (vg_guest_why_not())
		vg_test_skip("%s", vg_guest_why_not());
	vg_must(vg_guest_start(&(struct vg_guest_options){.vmm = vmm.program,
							  .append = "mode=io exploit=" BUG,
							  .cpus = cpus},
			       guest));
	vg_must(vg_guest_wait_verified(*guest, 100));
}

static void check_probe(struct vg_guest *guest, bool expected)
{
	bool shows;

	vg_must(vg_guest_probe(guest, &shows));
	ck_assert_int_eq(shows, expected);
	vg_must(vg_guest_wait_verified(guest, 100));
}

START_TEST(a_checked_stream_stays_whole_across_ten_cycles_of_apply_and_revert)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;

	start_test_guest((unsigned)_i, &guest);
	for (int cycle = 0; cycle < CYCLES; cycle++) {
		run_verb(guest, "apply", object, "applied");
		check_probe(guest, false);
		run_verb(guest, "revert", BUG, "reverted");
		check_probe(guest, true);
	}
	vg_must(vg_guest_finish(guest, &report));
	ck_assert_uint_eq(report.exploit.attempts, 2 * CYCLES);
}
END_TEST

START_TEST(linux_writes_and_flushes_ext4_across_ten_cycles_of_apply_and_revert)
{
	char disk[PATH_MAX];
	_cleanup_free_ char *sums = NULL;
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_guest_options options = {.disk = disk, .vmm = vmm.program};

	if (vg_linux_guest_why_not())
		vg_test_skip("%s", vg_linux_guest_why_not());
	vg_must(vg_ext4_make(disk, DISK_MIB));
	vg_must(vg_linux_guest_start(&options, &guest));
	vg_must(vg_linux_guest_must_run(guest, "mount -t ext4 /dev/vda /mnt; echo 0 >/tmp/n",
					NULL));
	vg_must(vg_linux_guest_must_run(guest, START_WRITER, NULL));
	for (int cycle = 0; cycle < CYCLES; cycle++) {
		vg_must(vg_linux_guest_must_run(guest, WAIT_FOR_WRITES, NULL));
		run_verb(guest, "apply", object, "applied");
		vg_must(vg_linux_guest_must_run(guest, WAIT_FOR_WRITES, NULL));
		run_verb(guest, "revert", BUG, "reverted");
	}
	vg_must(vg_linux_guest_must_run(guest, END_WRITER, NULL));
	vg_must(vg_linux_guest_must_run(guest, "(cd /mnt && sha256sum file*)", &sums));
	vg_must(vg_linux_guest_must_run(guest, "umount /mnt", NULL));
	vg_must(vg_linux_guest_reboot(guest));
	vg_must(vg_ext4_check(disk));
	vg_must(vg_ext4_check_sums(disk, sums));
	unlink(disk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patch guests");
	TCase *tcase = tcase_create("cycles");

	tcase_set_timeout(tcase, 10 * VG_HANG_SECONDS);
	tcase_add_unchecked_fixture(tcase, build_patch, remove_patch);
	tcase_add_loop_test(
		tcase, a_checked_stream_stays_whole_across_ten_cycles_of_apply_and_revert, 1, 3);
	tcase_add_test(tcase, linux_writes_and_flushes_ext4_across_ten_cycles_of_apply_and_revert);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
