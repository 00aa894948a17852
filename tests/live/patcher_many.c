/* SPDX-License-Identifier: MIT */
/*
 * Many: rounds, threads, births, signals. Counts are as large as a check allows; make bench has the
 * long ones.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <time.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const struct vg_case_change both[] = {{"first", 2, false}, {"second", 3, false}};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

START_TEST(threads_in_no_changed_function_let_1000_applies_of_1000_in)
{
	struct vg_case c;
	unsigned stops = 0;

	vg_case_start(&c, "patcher_target", (const char *const[5]){"2", "2", "2", "1", "0"});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	for (int i = 0; i < 1000; i++) {
		struct vg_result result;

		vg_case_apply(&c, patch, 30, VG_OUTCOME_APPLIED, &result);
		stops += result.stops;
		vg_result_clear(&result);
		vg_case_must_revert(&c, "fix");
	}
	printf("1000 applies in %u stops\n", stops);

	struct vg_case_counts counts = vg_case_counts(&c);

	ck_assert_uint_eq(counts.interrupted, 0);
	ck_assert_uint_eq(counts.damaged, 0);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_patch_goes_into_783_threads_and_out_again)
{
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_target",
		      (const char *const[5]){"200", "200", "182", "200", "0"});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	vg_case_apply(&c, patch, 60, VG_OUTCOME_APPLIED, &result);
	ck_assert_uint_eq(result.threads, 783);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 2, 3);
	vg_case_must_revert(&c, "fix");
	vg_case_expect_answers(&c, 1, 1);
	ck_assert_uint_eq(vg_case_counts(&c).damaged, 0);
	vg_case_end(&c);
}
END_TEST

static unsigned long births(struct vg_case *c)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'n', "numbers");
	unsigned long count;

	ck_assert_int_eq(sscanf(line, "numbers interrupted %*u rounds %lu", &count), 1);
	return count;
}

START_TEST(a_storm_of_threads_that_are_born_and_die_lets_100_applies_in)
{
	struct vg_case c;

	vg_case_start(&c, "patcher_held", (const char *const[5]){"storm", "", "", "", ""});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);
	unsigned long before = births(&c);
	double start = now();

	for (int i = 0; i < 100; i++) {
		vg_case_must_go_in_and_out(&c, patch, 2, 3);
	}
	unsigned long born = births(&c) - before;

	printf("%lu threads born during 100 applies and reverts, %.0f each second\n", born,
	       (double)born / (now() - start));
	ck_assert_uint_gt(born, 100);
	vg_case_end(&c);
}
END_TEST

/*
 * The contexts lie elsewhere each time, most on pages that were written since the search before the
 * stop: what the stop misses is counted by the target.
 */
START_TEST(coroutines_that_come_and_go_never_see_half_a_patch)
{
	static const struct vg_case_change changes[] = {{"first", 2, false}, {"busy", 2, false}};
	unsigned long before, missed, coroutines;
	unsigned applied = 0;
	struct vg_case c;

	vg_case_start(&c, "patcher_held", (const char *const[5]){"coroutines", "", "", "", ""});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", changes, 2, NULL);

	before = births(&c);
	for (int i = 0; i < 100; i++) {
		struct vg_patch_options options = {.timeout = 1};
		struct vg_result result;

		ck_assert_ptr_null(vg_apply(patch, c.pid, &options, &result));
		applied += result.outcome == VG_OUTCOME_APPLIED;
		vg_result_clear(&result);
		ck_assert_ptr_null(vg_revert("fix", c.pid, &options, &result));
		vg_result_clear(&result);
	}
	_cleanup_free_ char *line = vg_case_ask(&c, 'n', "numbers");

	ck_assert_int_eq(sscanf(line, "numbers interrupted %lu rounds %lu", &missed, &coroutines),
			 2);
	printf("%u of 100 applied beside %lu coroutines\n", applied, coroutines - before);
	ck_assert_uint_eq(missed, 0);
	ck_assert_uint_gt(applied, 0);
	vg_case_end(&c);
}
END_TEST

struct sender {
	pid_t pid;
	atomic_bool stop;
	unsigned long sent;
};

/*
 * Real-time signals are queued, each one: what is sent must arrive. After every nap as many are
 * sent as are due.
 */
static void *send_signals(void *argument)
{
	const struct timespec nap = {.tv_nsec = 50000};
	struct sender *sender = argument;
	double start = now();

	while (!atomic_load(&sender->stop)) {
		double due = (now() - start) * 10000;

		while ((double)sender->sent < due &&
		       sigqueue(sender->pid, SIGRTMIN, (union sigval){0}) == 0)
			sender->sent++;
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static unsigned long signals(struct vg_case *c)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'n', "numbers");
	unsigned long count;

	ck_assert_int_eq(sscanf(line, "numbers interrupted %*u rounds %*u signals %lu", &count), 1);
	return count;
}

START_TEST(of_signals_at_10_khz_none_is_lost_while_patches_go_in_and_out)
{
	struct sender sender = {0};
	struct vg_case c;
	pthread_t thread;

	vg_case_start(&c, "patcher_held", (const char *const[5]){"signals", "", "", "", ""});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);
	double start = now();

	sender.pid = c.pid;
	pthread_create(&thread, NULL, send_signals, &sender);
	for (int i = 0; i < 1000; i++) {
		vg_case_must_apply(&c, patch);
		vg_case_must_revert(&c, "fix");
	}
	atomic_store(&sender.stop, true);
	pthread_join(thread, NULL);
	printf("%lu signals, %.0f each second\n", sender.sent,
	       (double)sender.sent / (now() - start));
	ck_assert_uint_gt(sender.sent, 100);
	for (int i = 0; signals(&c) < sender.sent && i < VG_HANG_SECONDS * 100; i++)
		usleep(10000);
	ck_assert_uint_eq(signals(&c), sender.sent);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

/* The personality is inherited by what the test starts. */
START_TEST(with_and_without_address_space_randomisation_it_is_the_same)
{
	int before = personality(0xffffffff);
	struct vg_case c;

	if (personality((unsigned long)before | ADDR_NO_RANDOMIZE) < 0)
		vg_test_skip("cannot switch address space randomisation off");
	for (int i = 0; i < 2; i++) {
		vg_case_start(&c, i ? "patcher_target_fixed" : "patcher_target",
			      (const char *const[5]){"1", "1", "1", "1", "1"});
		_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
			vg_case_patch(&c, "fix", both, 2, NULL);
		struct vg_case_picture picture;

		vg_case_picture(&c, &picture);
		vg_case_must_go_in_and_out(&c, patch, 2, 3);
		vg_case_expect_picture(&c, &picture);
		vg_case_picture_clear(&picture);
		vg_case_end(&c);
	}
	personality((unsigned long)before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_many");
	TCase *tcase = tcase_create("many");

	tcase_set_timeout(tcase, 900);
	tcase_add_test(tcase, threads_in_no_changed_function_let_1000_applies_of_1000_in);
	tcase_add_test(tcase, a_patch_goes_into_783_threads_and_out_again);
	tcase_add_test(tcase, a_storm_of_threads_that_are_born_and_die_lets_100_applies_in);
	tcase_add_test(tcase, coroutines_that_come_and_go_never_see_half_a_patch);
	tcase_add_test(tcase, of_signals_at_10_khz_none_is_lost_while_patches_go_in_and_out);
	tcase_add_test(tcase, with_and_without_address_space_randomisation_it_is_the_same);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
