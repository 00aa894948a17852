/* SPDX-License-Identifier: MIT */
/* Apply and revert on real processes with threads in all kinds of waits. */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/suite.h"
#include "tests/lib/patcher_case.h"

static const char *const many_threads[5] = {"3", "3", "2", "2", "2"};
static const char *const no_threads[5] = {"0", "0", "0", "0", "0"};
static const char *const programs[] = {"patcher_target", "patcher_target_fixed"};
static const struct vg_case_change both[] = {{"first", 2, VG_CASE_PROGRAM},
					     {"second", 3, VG_CASE_PROGRAM}};

START_TEST(a_patch_goes_in_and_comes_out_and_leaves_no_trace)
{
	struct vg_case c;
	struct vg_case_picture before;

	vg_case_start(&c, programs[_i], many_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	vg_case_expect_answers(&c, 1, 1);
	vg_case_picture(&c, &before);
	vg_case_must_go_in_and_out(&c, patch, 2, 3);
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

START_TEST(waiting_threads_notice_nothing_in_100_rounds)
{
	struct vg_case c;

	vg_case_start(&c, programs[_i], many_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	for (int i = 0; i < 100; i++) {
		vg_case_must_go_in_and_out(&c, patch, 2, 3);
	}
	struct vg_case_counts counts = vg_case_counts(&c);

	ck_assert_uint_eq(counts.interrupted, 0);
	ck_assert_uint_eq(counts.mixed, 0);
	ck_assert_uint_eq(counts.damaged, 0);
	ck_assert_uint_gt(counts.calls, 0);
	vg_case_end(&c);
}
END_TEST

START_TEST(new_variables_and_calls_into_the_library_work)
{
	static const struct vg_case_extra data = {.data = true};
	static const struct vg_case_extra ifunc = {.import = "strlen"};
	struct vg_case c;

	vg_case_start(&c, programs[_i], no_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *variables =
		vg_case_patch(&c, "variables", both, 2, &data);
	_cleanup_(vg_patch_cleanup) struct vg_patch *calls =
		vg_case_patch(&c, "calls", both, 1, &ifunc);

	vg_case_must_apply(&c, variables);
	vg_case_expect_answers(&c, 2, 3);
	vg_case_must_apply(&c, calls);
	vg_case_expect_answers(&c, 6, 3); /* strlen("vgraft") */
	vg_case_must_revert(&c, "variables");
	vg_case_expect_answers(&c, 6, 1);
	vg_case_must_revert(&c, "calls");
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

START_TEST(applying_twice_is_already_and_so_is_reverting_twice)
{
	struct vg_case c;
	struct vg_result result;

	vg_case_start(&c, programs[0], no_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 1, NULL);
	_cleanup_(vg_patch_cleanup) struct vg_patch *other =
		vg_case_patch(&c, "fix", both, 2, NULL);

	vg_case_revert(&c, "fix", 0, VG_OUTCOME_ALREADY, &result);
	vg_result_clear(&result);
	vg_case_must_apply(&c, patch);
	vg_case_apply(&c, patch, 0, VG_OUTCOME_ALREADY, &result);
	vg_result_clear(&result);
	vg_case_apply(&c, other, 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_ptr_nonnull(strstr(result.reason, "another patch named fix"));
	vg_result_clear(&result);
	vg_case_must_revert(&c, "fix");
	vg_case_end(&c);
}
END_TEST

START_TEST(status_tells_what_is_applied_and_carries_the_object)
{
	struct vg_case c;
	struct vg_status status;

	vg_case_start(&c, programs[0], no_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	ck_assert_ptr_null(vg_status_read(c.pid, &status));
	ck_assert_uint_eq(status.count, 0);
	vg_status_clear(&status);
	vg_case_must_apply(&c, patch);
	ck_assert_ptr_null(vg_status_read(c.pid, &status));
	ck_assert_uint_eq(status.count, 1);
	ck_assert_str_eq(status.applied[0].patch, "fix");
	ck_assert(!status.applied[0].interrupted);
	ck_assert_uint_eq(status.applied[0].object->function_count, 2);
	vg_status_clear(&status);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_thread_busy_in_a_changed_function_makes_apply_wait)
{
	static const struct vg_case_change change[] = {{"busy", 7, VG_CASE_PROGRAM}};
	struct vg_case c;
	struct vg_result result;

	vg_case_start(&c, programs[_i], many_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", change, 1, NULL);

	free(vg_case_ask(&c, 'b', "busy"));
	vg_case_apply(&c, patch, 1, VG_OUTCOME_BUSY, &result);
	ck_assert_uint_ge(result.stops, 1);
	ck_assert_uint_eq(result.blocker_count, 1);
	ck_assert_str_eq(result.blockers[0].function, "busy");
	ck_assert_msg(strstr(result.reason, " busy;") != NULL, "%s", result.reason);
	vg_result_clear(&result);
	char *line = vg_case_ask(&c, 'r', "released");

	ck_assert_str_eq(line, "released 1");
	free(line);
	vg_case_must_apply(&c, patch);
	ck_assert_uint_eq(vg_case_counts(&c).damaged, 0);
	vg_case_end(&c);
}
END_TEST

/* Keeps everybody else off the processor for so long. */
static void hog(int processor, unsigned milliseconds)
{
	struct sched_param priority = {.sched_priority = 10};
	struct timespec start, now;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sched_setaffinity(0, sizeof(set), &set) || sched_setscheduler(0, SCHED_FIFO, &priority))
		_exit(1);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
	       (long)milliseconds);
	_exit(0);
}

/* The only thread there is is asked to stop, and does not until long after it was given up. */
START_TEST(a_thread_that_gets_no_cpu_for_half_a_second_is_waited_for)
{
	struct vg_case c;
	cpu_set_t all, one;
	int last, status;
	pid_t pid;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	if (CPU_COUNT(&all) < 2 || geteuid() != 0)
		vg_test_skip("needs two processors, and root for SCHED_FIFO");
	for (last = CPU_SETSIZE - 1; !CPU_ISSET(last, &all); last--)
		;
	vg_case_start(&c, programs[0], no_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	CPU_ZERO(&one);
	CPU_SET(last, &one);
	ck_assert_int_eq(sched_setaffinity(c.pid, sizeof(one), &one), 0);
	CPU_CLR(last, &all);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		hog(last, 500);
	usleep(1000);
	vg_case_must_apply(&c, patch);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	vg_case_expect_answers(&c, 2, 3);
	vg_case_end(&c);
}
END_TEST

START_TEST(check_changes_nothing)
{
	struct vg_case c;
	struct vg_case_picture before;
	struct vg_result result;
	struct vg_patch_options options = {.timeout = 1};

	vg_case_start(&c, programs[_i], many_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	vg_case_picture(&c, &before);
	/* One attempt may find a caller inside a changed function, and says so. */
	for (int i = 0; i < 100; i++) {
		ck_assert_ptr_null(vg_check(patch, c.pid, &options, &result));
		if (result.outcome != VG_OUTCOME_BUSY)
			break;
		ck_assert_uint_eq(result.blocker_count, 1);
		vg_result_clear(&result);
	}
	ck_assert_int_eq(result.outcome, VG_OUTCOME_OK);
	ck_assert_uint_ge(result.stops, 1);
	ck_assert(result.pause_us > 0);
	vg_result_clear(&result);
	vg_case_expect_picture(&c, &before);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

/* Each names what must be in the sentence. */
static const struct {
	const char *says;
	struct vg_case_extra extra;
} refusals[] = {
	{"not what patch fix was built for", {.wrong_entry = true}},
	{"does not reach", {.far_reference = true}},
	{"can't depend on patch base", {.replace = true, .depends = "base"}},
	{"depends on patch base", {.depends = "base"}},
	{"no no_such_function", {.import = "no_such_function"}},
};

START_TEST(what_cannot_be_done_is_refused_and_nothing_is_changed)
{
	struct vg_case c;
	struct vg_case_picture before;
	struct vg_result result;

	vg_case_start(&c, programs[0], no_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, &refusals[_i].extra);

	vg_case_picture(&c, &before);
	vg_case_apply(&c, patch, 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_msg(strstr(result.reason, refusals[_i].says), "%s", result.reason);
	vg_result_clear(&result);
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_patch_for_another_build_is_refused_with_both_build_ids)
{
	struct vg_case c, other;
	struct vg_result result;

	vg_case_start(&c, programs[0], no_threads);
	vg_case_start(&other, programs[1], no_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&other, "fix", both, 2, NULL);

	vg_case_apply(&c, patch, 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_ptr_nonnull(strstr(result.reason, "build-id"));
	vg_result_clear(&result);
	vg_case_end(&c);
	vg_case_end(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_apply");
	TCase *tcase = tcase_create("apply");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, a_patch_goes_in_and_comes_out_and_leaves_no_trace, 0, 2);
	tcase_add_loop_test(tcase, waiting_threads_notice_nothing_in_100_rounds, 0, 2);
	tcase_add_loop_test(tcase, new_variables_and_calls_into_the_library_work, 0, 2);
	tcase_add_test(tcase, applying_twice_is_already_and_so_is_reverting_twice);
	tcase_add_test(tcase, status_tells_what_is_applied_and_carries_the_object);
	tcase_add_loop_test(tcase, a_thread_busy_in_a_changed_function_makes_apply_wait, 0, 2);
	tcase_add_test(tcase, a_thread_that_gets_no_cpu_for_half_a_second_is_waited_for);
	tcase_add_loop_test(tcase, check_changes_nothing, 0, 2);
	tcase_add_loop_test(tcase, what_cannot_be_done_is_refused_and_nothing_is_changed, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tcase, a_patch_for_another_build_is_refused_with_both_build_ids);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
