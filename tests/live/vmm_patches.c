/* SPDX-License-Identifier: MIT */
/*
 * The corpus of patches/vmm: each bug shows on a VMM that has it, seen from the guest or from
 * outside, and does not on today's; the fix is the exact inverse of the bug. One that adds a field
 * to live devices is refused as it stands.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/command.h"
#include "tests/lib/guest.h"
#include "tests/lib/suite.h"
#include "tests/lib/vulnerable_vmm.h"

/* How a bug looks on the vulnerable build. */
enum symptom {
	LEAK,	/* the guest holds bytes of the VMM */
	ACCEPT, /* the device does what it must refuse */
	CHANGE, /* the device does what it must refuse, and can be put back */
	HANG,	/* the device never answers, nor can the VMM end */
	CRASH,	/* the VMM dies by a signal */
};

static const struct bug {
	const char *name;
	enum symptom symptom;
} bugs[] = {
	{"blk-get-id", LEAK},	 {"config-read", LEAK},	   {"features-reopen", CHANGE},
	{"memory-wrap", ACCEPT}, {"virtqueue-loop", HANG}, {"serial-divisor", CRASH},
};

#define BUGS   (sizeof(bugs) / sizeof(bugs[0]))
#define PROBED 3 /* the first of them */

static void need_kvm(const char *test)
{
	if (vg_guest_why_not())
		vg_test_skip_at(test, "%s", vg_guest_why_not());
}

static void start_exploit(const struct bug *bug, const char *vmm, struct vg_guest **guest)
{
	char append[64];

	snprintf(append, sizeof(append), "exploit=%s", bug->name);
	vg_must(vg_guest_start(&(struct vg_guest_options){.vmm = vmm, .append = append}, guest));
}

static bool has_verdict(const struct vg_report *report, void *argument)
{
	(void)argument;
	return VG_REPORT_GET(report->exploit.verdict) != VG_VERDICT_NONE;
}

/* A VMM that dies of the bug does so before the guest comes to a verdict. */
static void check_crash(struct vg_guest *guest)
{
	vg_must(vg_process_wait_end(vg_guest_process(guest)));
	ck_assert_int_eq(vg_process_exit_code(vg_guest_process(guest)), 128 + SIGFPE);
	ck_assert_uint_eq(vg_guest_report(guest)->exploit.verdict, VG_VERDICT_NONE);
	ck_assert_uint_eq(vg_guest_report(guest)->exploit.attempts, 1);
}

static void check_shows(const struct bug *bug, struct vg_guest *guest)
{
	const struct vg_report *report = vg_guest_report(guest);

	if (bug->symptom == CRASH) {
		check_crash(guest);
		return;
	}
	vg_must(vg_guest_wait(guest, has_verdict, NULL, "the exploit's verdict"));
	ck_assert_uint_eq(report->exploit.verdict, VG_VERDICT_SHOWS);
	if (bug->symptom == LEAK)
		ck_assert_uint_gt(report->exploit.leaked_bytes, 0);
	if (bug->symptom == HANG)
		return; /* the worker never comes back, so the VMM cannot end either */
	vg_must(vg_process_wait_end(vg_guest_process(guest)));
	ck_assert_ptr_nonnull(strstr(vg_guest_serial(guest), "not ok 2"));
}

START_TEST(the_bug_shows_on_the_vulnerable_build)
{
	const struct bug *bug = &bugs[_i];
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_vulnerable_vmm vmm;

	need_kvm(__func__);
	vg_must(vg_vulnerable_vmm_build(bug->name, &vmm));
	start_exploit(bug, vmm.program, &guest);
	check_shows(bug, guest);
}
END_TEST

START_TEST(the_bug_is_absent_from_todays_build)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;

	need_kvm(__func__);
	start_exploit(&bugs[_i], NULL, &guest);
	vg_must(vg_guest_wait_end(guest, &report));
	ck_assert_uint_eq(report.exploit.verdict, VG_VERDICT_ABSENT);
	ck_assert_uint_gt(report.exploit.attempts, 0);
	ck_assert_uint_eq(report.exploit.leaked_bytes, 0);
}
END_TEST

static int run_shell(const char *command)
{
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	int code;

	vg_must(vg_process_run(argv, &code, NULL));
	return code;
}

/* Applied to the vulnerable tree, the fix gives today's, byte for byte; and only once. */
START_TEST(the_fix_is_the_exact_inverse_of_the_bug)
{
	char command[3 * PATH_MAX];
	struct vg_vulnerable_vmm vmm;

	vg_must(vg_vulnerable_vmm_build(bugs[_i].name, &vmm));
	snprintf(command, sizeof(command),
		 "set -e; cd %s; diff -r ./vmm \"$OLDPWD/vmm\" >/dev/null && exit 9\n"
		 "rm -rf fixed; mkdir fixed; cp -r vmm fixed; patch -s -p1 --fuzz=0 -d fixed "
		 "<fix.diff\n"
		 "diff -r fixed/vmm \"$OLDPWD/vmm\"; rm -rf fixed",
		 vmm.source);
	ck_assert_int_eq(run_shell(command), 0);
}
END_TEST

static void probe_in_the_stream(const char *exploit, const char *vmm, bool expected)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;
	char append[64];
	bool shows;

	snprintf(append, sizeof(append), "mode=io exploit=%s", exploit);
	vg_must(vg_guest_start(&(struct vg_guest_options){.vmm = vmm, .append = append, .cpus = 2},
			       &guest));
	vg_must(vg_guest_wait_verified(guest, 100));
	for (int i = 0; i < 3; i++) {
		vg_must(vg_guest_probe(guest, &shows));
		ck_assert_int_eq(shows, expected);
		vg_must(vg_guest_wait_verified(guest, 100));
	}
	vg_must(vg_guest_finish(guest, &report));
	ck_assert_uint_eq(report.exploit.attempts, 3);
}

START_TEST(a_probe_shows_the_bug_while_the_stream_stays_whole)
{
	struct vg_vulnerable_vmm vmm;

	need_kvm(__func__);
	ck_assert(bugs[_i].symptom == LEAK || bugs[_i].symptom == CHANGE);
	vg_must(vg_vulnerable_vmm_build(bugs[_i].name, &vmm));
	probe_in_the_stream(bugs[_i].name, vmm.program, true);
	probe_in_the_stream(bugs[_i].name, NULL, false);
}
END_TEST

/* Its other form, with hooks and a shadow variable, is what vmm_live_patch applies. */
START_TEST(a_fix_that_adds_a_field_to_a_live_device_is_refused_as_layout)
{
	_cleanup_answer_ json_t *answer = NULL;
	struct vg_vulnerable_vmm vmm;
	char object[PATH_MAX];
	const json_t *reason;
	int code;

	vg_must(vg_vulnerable_vmm_build("features-reopen", &vmm));
	ck_assert_str_ne(vmm.live, vmm.fix);
	snprintf(object, sizeof(object), "%s/plain-field.vgp", vg_build_folder());
	vg_must(vg_command((const char *const[]){"build", "--source", vmm.source, "--diff", vmm.fix,
						 "--compdb", vmm.compdb, "--target", vmm.program,
						 "--name", "field", "-o", object, NULL},
			   &code, &answer));
	ck_assert_int_eq(code, 3);
	ck_assert_str_eq(vg_answer_text(answer, "result"), "refused");
	reason = json_array_get(json_object_get(answer, "reasons"), 0);
	ck_assert_str_eq(vg_answer_text(reason, "rule"), "layout");
	ck_assert_ptr_nonnull(strstr(vg_answer_text(reason, "text"), "features_sealed"));
	ck_assert_int_ne(access(object, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm patches");
	TCase *patches = tcase_create("patches");

	tcase_set_timeout(patches, 10 * VG_HANG_SECONDS); /* a VMM is built */
	tcase_add_loop_test(patches, the_fix_is_the_exact_inverse_of_the_bug, 0, BUGS);
	tcase_add_loop_test(patches, the_bug_shows_on_the_vulnerable_build, 0, BUGS);
	tcase_add_loop_test(patches, the_bug_is_absent_from_todays_build, 0, BUGS);
	tcase_add_loop_test(patches, a_probe_shows_the_bug_while_the_stream_stays_whole, 0, PROBED);
	tcase_add_test(patches, a_fix_that_adds_a_field_to_a_live_device_is_refused_as_layout);
	suite_add_tcase(suite, patches);
	return vg_suite_run(suite);
}
