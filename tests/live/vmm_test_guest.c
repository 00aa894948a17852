/* SPDX-License-Identifier: MIT */
/* The in-tree test guest on vgraft-vmm: checked disk I/O and the pause meter. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/guest.h"
#include "tests/lib/suite.h"

#define REQUESTS 5000

static void need_kvm(const char *test)
{
	if (vg_guest_why_not())
		vg_test_skip_at(test, "%s", vg_guest_why_not());
}

static void check_counters(const struct vg_report *report)
{
	ck_assert_uint_ge(report->io.verified, REQUESTS);
	ck_assert_uint_eq(report->io.completed, report->io.submitted);
	ck_assert_uint_eq(report->io.lost, 0);
	ck_assert_uint_eq(report->io.corrupt, 0);
	ck_assert_uint_eq(report->io.repeated, 0);
	ck_assert_uint_eq(report->io.refused, 0);
	ck_assert_uint_gt(report->tsc_khz, 0);
}

/* At most a few blocks are being written at this moment: the others must be found. */
static void zero_disk(const char *disk)
{
	static const char zeroes[256 * 4096];
	int fd = open(disk, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, zeroes, sizeof(zeroes), 0), sizeof(zeroes));
	close(fd);
}

/* From the moment on when the VMM surely stands still. */
static void stop_for(pid_t pid, long milliseconds)
{
	struct timespec time = {.tv_nsec = milliseconds * 1000 * 1000};
	siginfo_t info;

	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
	nanosleep(&time, NULL);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
}

static uint64_t gaps_in(const struct vg_report_meter *meter)
{
	uint64_t sum = 0;

	for (int i = 0; i < VG_REPORT_BUCKETS; i++)
		sum += meter->buckets[i];
	return sum;
}

START_TEST(one_vcpu_verifies_every_request_with_interrupts)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;

	need_kvm(__func__);
	vg_must(vg_guest_start(
		&(struct vg_guest_options){.append = "mode=io wait=irq depth=2 flush=2"}, &guest));
	vg_must(vg_guest_wait_verified(guest, REQUESTS));
	vg_must(vg_guest_finish(guest, &report));
	check_counters(&report);
	ck_assert_uint_gt(report.io.interrupts, 0);
	ck_assert_uint_gt(report.io.flushes, 0);
}
END_TEST

START_TEST(one_vcpu_verifies_every_request_by_polling)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;

	need_kvm(__func__);
	vg_must(vg_guest_start(
		&(struct vg_guest_options){.append = "mode=io wait=poll requests=5000 depth=15"},
		&guest));
	vg_must(vg_guest_wait_end(guest, &report));
	check_counters(&report);
	ck_assert_uint_eq(report.io.interrupts, 0);
}
END_TEST

START_TEST(the_second_vcpu_meters_while_the_first_does_io)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;

	need_kvm(__func__);
	vg_must(vg_guest_start(&(struct vg_guest_options){.append = "mode=io", .cpus = 2}, &guest));
	vg_must(vg_guest_wait_verified(guest, REQUESTS));
	vg_must(vg_guest_finish(guest, &report));
	check_counters(&report);
	ck_assert_uint_eq(report.cpus, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_gt(report.meters[i].turns, 0);
		ck_assert_uint_eq(gaps_in(&report.meters[i]), report.meters[i].turns);
		ck_assert_uint_gt(report.meters[i].max_gap_ns, 0);
	}
}
END_TEST

START_TEST(a_reset_of_the_meters_is_seen_by_every_vcpu)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;

	need_kvm(__func__);
	vg_must(vg_guest_start(&(struct vg_guest_options){.append = "mode=io", .cpus = 2}, &guest));
	vg_must(vg_guest_wait_verified(guest, 100));
	vg_must(vg_guest_reset_meters(guest));
	vg_must(vg_guest_wait_verified(guest, 100));
	ck_assert_uint_gt(vg_guest_gap_ns(guest, -1), 0);
	vg_must(vg_guest_finish(guest, NULL));
}
END_TEST

/* A stopped VMM is a gap that is surely there, and no request may suffer from it. */
START_TEST(the_meter_shows_that_the_vmm_was_stopped)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_report report;
	uint64_t before;

	need_kvm(__func__);
	vg_must(vg_guest_start(&(struct vg_guest_options){.append = "mode=io", .cpus = 2}, &guest));
	vg_must(vg_guest_wait_verified(guest, 100));
	vg_must(vg_guest_reset_meters(guest));
	before = VG_REPORT_GET(vg_guest_report(guest)->io.verified);
	stop_for(vg_guest_pid(guest), 300);
	vg_must(vg_guest_wait_verified(guest, 100));
	ck_assert_uint_ge(vg_guest_gap_ns(guest, 1), 290UL * 1000 * 1000);
	ck_assert_uint_gt(VG_REPORT_GET(vg_guest_report(guest)->io.verified), before);
	vg_must(vg_guest_finish(guest, &report));
	ck_assert_uint_eq(report.io.lost + report.io.corrupt + report.io.repeated, 0);
}
END_TEST

/*
 * The checks must be able to fail: somebody writes to the disk behind the device's back, and the
 * guest has to notice that an older or a foreign block came back.
 */
START_TEST(the_stream_finds_a_block_that_changed_behind_its_back)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	struct vg_error *error;

	need_kvm(__func__);
	vg_must(vg_guest_start(&(struct vg_guest_options){.append = "mode=io"}, &guest));
	vg_must(vg_guest_wait_verified(guest, REQUESTS));
	zero_disk(vg_guest_disk(guest));
	vg_must(vg_guest_wait_verified(guest, REQUESTS));
	error = vg_guest_finish(guest, NULL);
	ck_assert_ptr_nonnull(error);
	vg_error_free(error);
	ck_assert_uint_gt(vg_guest_report(guest)->io.corrupt, 0);
	ck_assert_uint_eq(vg_guest_report(guest)->state, VG_STATE_FAILED);
}
END_TEST

/* What each line makes of the guest's CPL0 code must not pass: KVM cannot emulate it there. */
static const char *const unknown_instructions[] = {
	"int $0x80",
	"int3",
	"popcnt %eax, %eax",
	"crc32l %eax, %ecx",
	"lock cmpxchg16b (%rdi)",
	"pxor %xmm0, %xmm0",
	"movaps %xmm0, (%rdi)",
	"xsave (%rdi)",
	"xgetbv",
	"stac",
	"clac",
	"fwait",
	"fldz",
};

#define UNKNOWN_INSTRUCTIONS (sizeof(unknown_instructions) / sizeof(unknown_instructions[0]))

static int check_instruction(const char *instruction)
{
	char command[2048];
	const char *const shell[] = {"/bin/sh", "-c", command, NULL};
	int code;

	snprintf(command, sizeof(command),
		 "d=$(mktemp -d); trap 'rm -rf $d' EXIT; "
		 "printf '.section .kernel.text, \"ax\"\\n.rept 200\\nnop\\n.endr\\n%%s\\n' '%s' |"
		 "as -o $d/o - || exit 9; tests/guest/check-cpl0 $d/o .kernel.text:x86-64",
		 instruction);
	vg_must(vg_process_run(shell, &code, NULL));
	return code;
}

START_TEST(an_instruction_that_kvm_cannot_emulate_fails_the_guests_build)
{
	ck_assert_int_eq(check_instruction("lock incl (%rdi)"), 0);
	ck_assert_int_eq(check_instruction("rep movsb"), 0);
	ck_assert_msg(check_instruction(unknown_instructions[_i]) == 1, "%s passes",
		      unknown_instructions[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm test guest");
	TCase *guest = tcase_create("guest");

	tcase_set_timeout(guest, 3 * VG_HANG_SECONDS);
	tcase_add_test(guest, one_vcpu_verifies_every_request_with_interrupts);
	tcase_add_test(guest, one_vcpu_verifies_every_request_by_polling);
	tcase_add_test(guest, the_second_vcpu_meters_while_the_first_does_io);
	tcase_add_test(guest, a_reset_of_the_meters_is_seen_by_every_vcpu);
	tcase_add_test(guest, the_meter_shows_that_the_vmm_was_stopped);
	tcase_add_test(guest, the_stream_finds_a_block_that_changed_behind_its_back);
	tcase_add_loop_test(guest, an_instruction_that_kvm_cannot_emulate_fails_the_guests_build, 0,
			    UNKNOWN_INSTRUCTIONS);
	suite_add_tcase(suite, guest);
	return vg_suite_run(suite);
}
