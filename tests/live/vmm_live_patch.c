/* SPDX-License-Identifier: MIT */
/*
 * The fixes of patches/vmm as patch objects in a VMM that runs a guest: each closes its bug, and
 * neither the checked stream nor a Linux guest's ext4 suffers from ten times in and out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/command.h"
#include "tests/lib/ext4.h"
#include "tests/lib/linux_guest.h"
#include "tests/lib/suite.h"
#include "tests/lib/vulnerable_vmm.h"

#define CYCLES	 10
#define DISK_MIB 64

/* In a function that every request runs through. */
#define BUG "blk-get-id"

static const char *const bugs[] = {
	"blk-get-id",  "config-read",	 "features-reopen",
	"memory-wrap", "virtqueue-loop", "serial-divisor",
};

/* Those that a probe shows in the midst of the stream, again and again. */
static const char *const probed[] = {BUG, "config-read", "features-reopen"};

#define PROBED (sizeof(probed) / sizeof(probed[0]))

#define BUGS (sizeof(bugs) / sizeof(bugs[0]))

struct patch {
	struct vg_vulnerable_vmm vmm;
	char object[PATH_MAX];
	const char *name;
};

static void build_patch(const char *name, struct patch *patch)
{
	_cleanup_answer_ json_t *answer = NULL;

	patch->name = name;
	vg_must(vg_vulnerable_vmm_build(name, &patch->vmm));
	snprintf(patch->object, sizeof(patch->object), "%s/%s.vgp", vg_build_folder(), name);

	const char *hooks = patch->vmm.hooks[0] ? "--hooks" : NULL; /* else the list's end */

	vg_must(vg_command_must((const char *const[]){"build", "--source", patch->vmm.source,
						      "--diff", patch->vmm.live, "--compdb",
						      patch->vmm.compdb, "--target",
						      patch->vmm.program, "--name", name, "-o",
						      patch->object, hooks, patch->vmm.hooks, NULL},
				&answer));
	ck_assert_str_eq(vg_answer_text(answer, "result"), "built");
}

static void run_verb(const char *verb, const char *subject, const struct vg_guest *guest,
		     const char *result)
{
	_cleanup_answer_ json_t *answer = NULL;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)vg_guest_pid(guest));
	vg_must(vg_command_must(
		(const char *const[]){verb, subject, "--pid", pid, "--timeout", "60", NULL},
		&answer));
	ck_assert_str_eq(vg_answer_text(answer, "result"), result);
}

static void apply(const struct patch *patch, const struct vg_guest *guest)
{
	run_verb("apply", patch->object, guest, "applied");
}

static void revert(const struct patch *patch, const struct vg_guest *guest)
{
	run_verb("revert", patch->name, guest, "reverted");
}

static void need_kvm(const char *test)
{
	if (vg_guest_why_not())
		vg_test_skip_at(test, "%s", vg_guest_why_not());
}

START_TEST(each_fix_closes_its_bug_in_a_running_vmm)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;
	struct patch patch;
	char append[64];
	bool shows;

	need_kvm(__func__);
	build_patch(bugs[_i], &patch);
	snprintf(append, sizeof(append), "exploit=%s on_probe=1", bugs[_i]);
	vg_must(vg_guest_start(
		&(struct vg_guest_options){.vmm = patch.vmm.program, .append = append}, &guest));
	vg_must(vg_guest_wait_running(guest));
	apply(&patch, guest);
	vg_must(vg_guest_probe(guest, &shows));
	ck_assert(!shows);
	vg_must(vg_guest_wait_end(guest, &report));
	ck_assert_uint_gt(report.exploit.attempts, 0);
}
END_TEST

START_TEST(the_stream_stays_whole_while_the_fix_goes_in_and_out)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;
	struct patch patch;
	char append[64];
	bool shows;

	need_kvm(__func__);
	build_patch(probed[_i], &patch);
	snprintf(append, sizeof(append), "mode=io exploit=%s", probed[_i]);
	vg_must(vg_guest_start(
		&(struct vg_guest_options){.vmm = patch.vmm.program, .append = append, .cpus = 2},
		&guest));
	vg_must(vg_guest_wait_verified(guest, 100));
	vg_must(vg_guest_probe(guest, &shows));
	ck_assert(shows);
	vg_must(vg_guest_wait_verified(guest, 100));
	for (int i = 0; i < CYCLES; i++) {
		apply(&patch, guest);
		vg_must(vg_guest_probe(guest, &shows));
		ck_assert(!shows);
		vg_must(vg_guest_wait_verified(guest, 100));
		revert(&patch, guest);
		vg_must(vg_guest_probe(guest, &shows));
		ck_assert(shows);
		vg_must(vg_guest_wait_verified(guest, 100));
	}
	vg_must(vg_guest_finish(guest, &report));
	ck_assert_uint_eq(report.exploit.attempts, 1 + 2UL * CYCLES);
	ck_assert_uint_eq(report.io.lost + report.io.corrupt + report.io.repeated, 0);
}
END_TEST

/* Goes on by itself in the guest; each turn ends in an fsync. */
#define START_WRITER                                                                               \
	"(i=0; while [ ! -e /stop ]; do i=$((i + 1)); dd if=/dev/urandom of=/mnt/file$((i % 40)) " \
	"bs=32k count=4 conv=fsync 2>/dev/null || echo $i >>/failed; echo $i >/progress.new; "     \
	"mv /progress.new /progress; done) &"
#define AWAIT_FIRST_TURN "until [ -e /progress ]; do usleep 10000; done"
#define AWAIT_ONE_TURN                                                                             \
	"p=$(cat /progress); until [ $(cat /progress) -gt $((p + 1)) ]; do usleep 10000; done"
#define STOP_WRITER "touch /stop; wait; test ! -e /failed"

static void cycle_under_linux(const struct patch *patch, struct vg_guest *guest)
{
	for (int i = 0; i < CYCLES; i++) {
		apply(patch, guest);
		vg_must(vg_linux_guest_must_run(guest, AWAIT_ONE_TURN, NULL));
		revert(patch, guest);
		vg_must(vg_linux_guest_must_run(guest, AWAIT_ONE_TURN, NULL));
	}
}

START_TEST(linux_keeps_its_ext4_while_the_fix_goes_in_and_out)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	_cleanup_free_ char *sums = NULL;
	struct vg_guest_options options = {0};
	char disk[PATH_MAX];
	struct patch patch;

	if (vg_linux_guest_why_not())
		vg_test_skip("%s", vg_linux_guest_why_not());
	build_patch(BUG, &patch);
	vg_must(vg_ext4_make(disk, DISK_MIB));
	options.vmm = patch.vmm.program;
	options.disk = disk;
	vg_must(vg_linux_guest_start(&options, &guest));
	vg_must(vg_linux_guest_must_run(guest, "mount -t ext4 /dev/vda /mnt", NULL));
	vg_must(vg_linux_guest_must_run(guest, START_WRITER, NULL));
	vg_must(vg_linux_guest_must_run(guest, AWAIT_FIRST_TURN, NULL));
	cycle_under_linux(&patch, guest);
	vg_must(vg_linux_guest_must_run(guest, STOP_WRITER, NULL));
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
	Suite *suite = suite_create("vmm live patch");
	TCase *live = tcase_create("live patch");

	tcase_set_timeout(live, 15 * VG_HANG_SECONDS);
	tcase_add_loop_test(live, each_fix_closes_its_bug_in_a_running_vmm, 0, BUGS);
	tcase_add_loop_test(live, the_stream_stays_whole_while_the_fix_goes_in_and_out, 0, PROBED);
	tcase_add_test(live, linux_keeps_its_ext4_while_the_fix_goes_in_and_out);
	suite_add_tcase(suite, live);
	return vg_suite_run(suite);
}
