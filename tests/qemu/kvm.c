/* SPDX-License-Identifier: MIT */
/*
 * Debian's QEMU under KVM: its vCPU thread stands in KVM_RUN, which each stop makes return EINTR.
 * All fixes go in and out while the guest's streams run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text_file.h"
#include "tests/lib/guest.h"
#include "tests/lib/qemu_patch.h"
#include "tests/lib/suite.h"

#define BETWEEN_STEPS 20 /* requests of each stream */
#define ANSWERS	      5	 /* of the monitor */

static void need_kvm(const char *test)
{
	if (vg_qemu_kvm_why_not())
		vg_test_skip_at(test, "%s", vg_qemu_kvm_why_not());
}

static void start_under_load(struct vg_qemu **qemu)
{
	vg_must(vg_qemu_start(&(struct vg_qemu_options){.kvm = true}, qemu));
	vg_must(vg_qemu_start_streams(*qemu));
	vg_must(vg_qemu_wait_verified(*qemu, BETWEEN_STEPS));
}

static void expect_work(struct vg_qemu *qemu)
{
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(qemu), ANSWERS));
}

static void end_whole(struct vg_qemu *qemu)
{
	struct vg_qemu_counts counts;

	vg_must(vg_qemu_end_streams(qemu, &counts));
	vg_must(vg_qemu_power_off(qemu));
	vg_must(vg_qemu_check_disk(qemu));
}

/* The monitor's word for it: not emulated by TCG after all. */
static void expect_kvm(const struct vg_qemu *qemu)
{
	_cleanup_answer_ json_t *answer = NULL;

	vg_must(vg_qmp_ask(vg_qemu_qmp(qemu), "query-kvm", NULL, &answer));
	ck_assert_msg(json_is_true(json_object_get(answer, "enabled")), "KVM is not enabled");
}

/* The thread of the only vCPU, as the monitor tells. */
static pid_t vcpu_thread(const struct vg_qemu *qemu)
{
	_cleanup_answer_ json_t *answer = NULL;
	const json_t *first;

	vg_must(vg_qmp_ask(vg_qemu_qmp(qemu), "query-cpus-fast", NULL, &answer));
	ck_assert_uint_eq(json_array_size(answer), 1);
	first = json_array_get(answer, 0);
	return (pid_t)json_integer_value(json_object_get(first, "thread-id"));
}

struct waiter {
	pid_t pid, tid;
};

/* ioctl(fd, KVM_RUN, …): system call 16, request 0xae80 (KVM API, 4.10). */
static bool is_in_kvm_run(void *argument)
{
	const struct waiter *waiter = argument;
	_cleanup_free_ char *text = NULL;
	unsigned long number, request;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", waiter->pid, waiter->tid);
	vg_must(vg_text_file_read(path, &text, NULL));
	/* NOLINTNEXTLINE(cert-err34-c): the count of fields is checked */
	return sscanf(text, "%lu %*x %lx", &number, &request) == 2 && number == 16 &&
	       request == 0xae80;
}

/* An idle guest's vCPU sleeps there. */
START_TEST(the_vcpu_is_stopped_in_kvm_run_and_goes_on)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	struct vg_qemu_patch patch;
	struct waiter waiter;

	need_kvm(__func__);
	vg_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	vg_must(vg_qemu_start(&(struct vg_qemu_options){.kvm = true}, &qemu));
	expect_kvm(qemu);
	waiter = (struct waiter){vg_qemu_pid(qemu), vcpu_thread(qemu)};
	for (int i = 0; i < 5; i++) {
		vg_must(vg_process_wait(vg_qemu_process(qemu), is_in_kvm_run, &waiter,
					"the vCPU to sleep in KVM_RUN"));
		vg_must(vg_qemu_patch_apply(&patch, qemu, NULL));
		vg_must(vg_process_wait(vg_qemu_process(qemu), is_in_kvm_run, &waiter,
					"the vCPU to sleep in KVM_RUN"));
		vg_must(vg_qemu_patch_revert(&patch, qemu, NULL));
	}
	vg_must(vg_qemu_start_streams(qemu));
	expect_work(qemu);
	end_whole(qemu);
}
END_TEST

/* Each patch that is in is counted by the target itself. */
static void expect_applied(const struct vg_qemu *qemu, size_t count)
{
	_cleanup_process_ struct vg_process *process = NULL;
	char vgraft[PATH_MAX + 16], pid[16];
	size_t applied = 0;
	int code;

	snprintf(vgraft, sizeof(vgraft), "%s/vgraft", vg_build_folder());
	snprintf(pid, sizeof(pid), "%d", (int)vg_qemu_pid(qemu));
	vg_must(vg_process_run(
		(const char *const[]){vgraft, "status", "--pid", pid, "--json", NULL}, &code,
		&process));
	ck_assert_int_eq(code, 0);
	for (const char *at = process->output.text; (at = strstr(at, "\"applied\"")); at++)
		applied++;
	ck_assert_uint_eq(applied, count);
}

/* Modules that this machine does not load (TCG, for one) leave some out. *in: those that are in. */
static void apply_all(struct vg_qemu *qemu, const struct vg_qemu_patches *patches,
		      struct vg_qemu_patches *in)
{
	in->count = 0;
	for (size_t i = 0; i < patches->count; i++) {
		bool applied;

		vg_must(vg_qemu_patch_apply_if_loaded(&patches->all[i], qemu, &applied, NULL));
		if (applied)
			in->all[in->count++] = patches->all[i];
		expect_work(qemu);
	}
}

START_TEST(all_fixes_go_in_and_out_under_kvm_while_the_streams_run)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	static struct vg_qemu_patches patches, in;

	need_kvm(__func__);
	vg_must(vg_qemu_patches_find(&patches));
	ck_assert_uint_gt(patches.count, 10);
	start_under_load(&qemu);
	expect_kvm(qemu);
	apply_all(qemu, &patches, &in);
	ck_assert_uint_gt(in.count, 10);
	expect_applied(qemu, in.count);
	printf("under KVM: %zu of %zu fixes\n", in.count, patches.count);
	/* The first ones first: from below the others. */
	for (size_t i = 0; i < in.count; i++) {
		vg_must(vg_qemu_patch_revert(&in.all[i], qemu, NULL));
		expect_work(qemu);
	}
	expect_applied(qemu, 0);
	end_whole(qemu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu under KVM");
	TCase *tests = tcase_create("kvm");

	tcase_set_timeout(tests, 15 * VG_HANG_SECONDS);
	tcase_add_test(tests, the_vcpu_is_stopped_in_kvm_run_and_goes_on);
	tcase_add_test(tests, all_fixes_go_in_and_out_under_kvm_while_the_streams_run);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
