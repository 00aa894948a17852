/* SPDX-License-Identifier: MIT */
/*
 * A real fix in Debian's own QEMU while its guest works: CVE-2024-8354, shown from inside the guest
 * before the patch, with it, and after it was taken out.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/guest.h"
#include "tests/lib/qemu_patch.h"
#include "tests/lib/suite.h"

#define BETWEEN_STEPS 500 /* requests of each stream */
#define ANSWERS	      20  /* of the monitor */

static void start_under_load(const struct vg_qemu_options *options, struct vg_qemu **qemu)
{
	vg_must(vg_qemu_start(options, qemu));
	vg_must(vg_qemu_start_streams(*qemu));
	vg_must(vg_qemu_wait_verified(*qemu, BETWEEN_STEPS));
}

/* Disk, network, monitor and the USB controller: each does what it is there for. */
static void expect_work(struct vg_qemu *qemu)
{
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(qemu), ANSWERS));
	vg_must(vg_qemu_command(qemu, "transfer", "vg-transfer done", NULL));
}

static void expect_exploit(struct vg_qemu *qemu, bool aborts)
{
	bool aborted;

	vg_must(vg_qemu_exploit(qemu, &aborted));
	ck_assert_msg(aborted == aborts, "QEMU %s", aborted ? "aborted" : "did not abort");
}

START_TEST(the_exploit_aborts_the_unpatched_qemu)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	struct vg_qemu_counts counts;

	vg_qemu_need(__func__);
	start_under_load(&(struct vg_qemu_options){0}, &qemu);
	expect_work(qemu);
	vg_must(vg_qemu_end_streams(qemu, &counts));
	expect_exploit(qemu, true);
	vg_must(vg_qemu_check_disk(qemu));
}
END_TEST

/* With and without `-sandbox on` and every deny option. */
START_TEST(the_fix_goes_in_under_load_and_out_again)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	struct vg_qemu_counts counts;
	struct vg_qemu_patch patch;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	start_under_load(&(struct vg_qemu_options){.sandbox = _i}, &qemu);
	vg_must(vg_qemu_patch_apply(&patch, qemu, NULL));
	expect_work(qemu);
	for (int i = 0; i < 3; i++)
		expect_exploit(qemu, false);
	expect_work(qemu);
	vg_must(vg_qemu_patch_revert(&patch, qemu, NULL));
	expect_work(qemu);
	vg_must(vg_qemu_end_streams(qemu, &counts));
	expect_exploit(qemu, true);
	vg_must(vg_qemu_check_disk(qemu));
}
END_TEST

START_TEST(the_streams_stay_whole_while_the_fix_goes_in_and_out)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	struct vg_qemu_counts counts;
	struct vg_qemu_patch patch;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	start_under_load(&(struct vg_qemu_options){0}, &qemu);
	for (int i = 0; i < 10; i++) {
		vg_must(vg_qemu_patch_apply(&patch, qemu, NULL));
		expect_exploit(qemu, false);
		vg_must(vg_qemu_patch_revert(&patch, qemu, NULL));
	}
	expect_work(qemu);
	vg_must(vg_qemu_end_streams(qemu, &counts));
	vg_must(vg_qemu_power_off(qemu));
	vg_must(vg_qemu_check_disk(qemu));
}
END_TEST

/* As a package's upgrade does it: another file is renamed to the program's name. */
static void replace_program(const char *program)
{
	char other[PATH_MAX + 8];

	snprintf(other, sizeof(other), "%s.new", program);
	vg_must(vg_process_must_run((const char *const[]){"cp", "/bin/true", other, NULL}));
	ck_assert_int_eq(rename(other, program), 0);
}

static bool any_note_says(const json_t *answer, const char *text)
{
	const json_t *note;
	size_t i;

	json_array_foreach(json_object_get(answer, "notes"), i, note)
	{
		if (strstr(json_string_value(note), text))
			return true;
	}
	return false;
}

START_TEST(a_program_whose_file_was_replaced_is_read_through_proc)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	_cleanup_answer_ json_t *answer = NULL;
	struct vg_qemu_patch patch;
	char program[PATH_MAX], modules[PATH_MAX], exe[32];

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	snprintf(program, sizeof(program), "%s/qemu/replaced.%d", vg_build_folder(), getpid());
	snprintf(modules, sizeof(modules), "%s/usr/lib/x86_64-linux-gnu/qemu", vg_qemu_tree());
	vg_must(vg_process_must_run(
		(const char *const[]){"cp", "--", vg_qemu_program(), program, NULL}));
	setenv("QEMU_MODULE_DIR", modules, 1);
	vg_must(vg_qemu_start(&(struct vg_qemu_options){.program = program}, &qemu));
	replace_program(program);
	vg_must(vg_qemu_patch_apply(&patch, qemu, &answer));
	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)vg_qemu_pid(qemu));
	ck_assert_msg(any_note_says(answer, exe), "no note names %s", exe);
	expect_exploit(qemu, false);
	unlink(program); /* and now it is gone altogether */
	vg_must(vg_qemu_patch_revert(&patch, qemu, NULL));
	expect_exploit(qemu, true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu live");
	TCase *live = tcase_create("live");

	tcase_set_timeout(live, 15 * VG_HANG_SECONDS);
	tcase_add_test(live, the_exploit_aborts_the_unpatched_qemu);
	tcase_add_loop_test(live, the_fix_goes_in_under_load_and_out_again, 0, 2);
	tcase_add_test(live, the_streams_stay_whole_while_the_fix_goes_in_and_out);
	tcase_add_test(live, a_program_whose_file_was_replaced_is_read_through_proc);
	suite_add_tcase(suite, live);
	return vg_suite_run(suite);
}
