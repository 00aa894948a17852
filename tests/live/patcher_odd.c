/* SPDX-License-Identifier: MIT */
/*
 * Targets with memory or threads as few programs have them, and a kernel that lacks something:
 * patched like any other, or refused by name.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "patcher/task.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const struct vg_case_change both[] = {{"first", 2, VG_CASE_PROGRAM},
					     {"second", 3, VG_CASE_PROGRAM}};

static struct vg_patch *start(struct vg_case *c, const char *situation)
{
	vg_case_start(c, "patcher_odd", (const char *const[5]){situation, "", "", "", ""});
	if (strstr(c->process->output.text, "without"))
		vg_test_skip("nothing of the kind here: %s", situation);
	return vg_case_patch(c, "fix", both, 2, NULL);
}

static void expect_patchable(const char *situation)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, situation);
	struct vg_case_picture picture;

	vg_case_picture(&c, &picture);
	vg_case_must_go_in_and_out(&c, patch, 2, 3);
	vg_case_expect_settled(&c, &picture);
	vg_case_picture_clear(&picture);
	vg_case_end(&c);
}

static void expect_refused(struct vg_case *c, const struct vg_patch *patch, const char *says)
{
	struct vg_result result;

	vg_case_apply(c, patch, 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_msg(strstr(result.reason, says), "%s", result.reason);
	vg_result_clear(&result);
	vg_case_expect_answers(c, 1, 1);
	vg_case_end(c);
}

/* The one that gives the page stands too: to wait for it would be to wait for ever. */
START_TEST(a_page_that_a_stopped_thread_would_have_to_give_is_not_waited_for)
{
	expect_patchable("lazy");
}
END_TEST

START_TEST(guard_regions_in_stacks_and_elsewhere_are_no_obstacle)
{
	expect_patchable("guard");
}
END_TEST

START_TEST(a_target_that_locks_all_its_memory_is_patched_like_any_other)
{
	expect_patchable("locked");
}
END_TEST

START_TEST(a_process_whose_first_thread_has_ended_is_refused_by_name)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "leader");
	char path[64];
	struct vg_task task;

	snprintf(path, sizeof(path), "/proc/%d", c.pid);
	_cleanup_close_ int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (vg_task_read(proc, c.pid, &task) && !vg_task_is_dead(&task))
		usleep(1000);
	expect_refused(&c, patch, "the first thread of process");
}
END_TEST

/*
 * SEIZE waits for the exec, and the exec for the threads that are traced already to be released. It
 * takes some stops until the target notices one in time.
 */
START_TEST(a_target_that_calls_exec_while_it_is_being_stopped_does)
{
	const struct vg_patch_options options = {.timeout = 0};

	for (int i = 0; i < 12; i++) {
		struct vg_case c;
		_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "exec");
		struct vg_result result = {0};

		do {
			vg_result_clear(&result);
			vg_error_free(vg_check(patch, c.pid, &options, &result));
		} while (result.threads > 1);
		vg_result_clear(&result);
		ck_assert_ptr_null(
			vg_process_wait_text(c.process, &c.process->output, 0, "executed\n", NULL));
		vg_case_expect_answers(&c, 1, 1);
		vg_case_end(&c);
	}
}
END_TEST

START_TEST(a_program_that_has_copied_its_code_is_refused_by_name)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "copied");

	expect_refused(&c, patch, "but the code is not that file's");
}
END_TEST

/* In this process, from now on. */
static void have_no_kcmp(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kcmp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ck_assert_int_eq(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
}

START_TEST(without_kcmp_nobody_is_taken_for_one_who_shares_no_memory)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "plain");

	have_no_kcmp();
	expect_refused(&c, patch, "kcmp does not work here");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_odd");
	TCase *tcase = tcase_create("odd");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, a_page_that_a_stopped_thread_would_have_to_give_is_not_waited_for);
	tcase_add_test(tcase, guard_regions_in_stacks_and_elsewhere_are_no_obstacle);
	tcase_add_test(tcase, a_target_that_locks_all_its_memory_is_patched_like_any_other);
	tcase_add_test(tcase, a_process_whose_first_thread_has_ended_is_refused_by_name);
	tcase_add_test(tcase, a_target_that_calls_exec_while_it_is_being_stopped_does);
	tcase_add_test(tcase, a_program_that_has_copied_its_code_is_refused_by_name);
	tcase_add_test(tcase, without_kcmp_nobody_is_taken_for_one_who_shares_no_memory);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
