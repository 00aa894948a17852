/* SPDX-License-Identifier: MIT */
/* A patch that replaces all others: one stop, one commit, nothing of the others left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const char *const few_threads[5] = {"1", "1", "1", "1", "1"};
static const char *const programs[] = {"patcher_target", "patcher_target_fixed"};
static const struct vg_case_change a_changes[] = {{"first", 2, VG_CASE_PROGRAM},
						  {"second", 3, VG_CASE_PROGRAM}};
static const struct vg_case_change b_changes[] = {{"first", 4, VG_CASE_PROGRAM},
						  {"third", 5, VG_CASE_LIBRARY}};
static const struct vg_case_change c_changes[] = {{"first", 6, VG_CASE_PROGRAM}};
static const struct vg_case_extra replacing = {.replace = true};

static void expect_all(struct vg_case *c, int first, int second, int third)
{
	char expected[32];

	vg_case_expect_answers(c, first, second);
	snprintf(expected, sizeof(expected), "third %d", third);
	_cleanup_free_ char *line = vg_case_ask(c, 't', "third");

	ck_assert_str_eq(line, expected);
}

static void expect_status(const struct vg_case *c, const char *name)
{
	struct vg_status status;

	ck_assert_ptr_null(vg_status_read(c->pid, &status));
	ck_assert_uint_eq(status.count, 1);
	ck_assert_str_eq(status.applied[0].patch, name);
	ck_assert(!status.applied[0].interrupted);
	vg_status_clear(&status);
}

/* Applied in this order: a, b (on top of a, also in the library), then the one that replaces. */
struct three {
	struct vg_case c;
	struct vg_patch *a, *b, *cumulative;
	struct vg_case_picture before;
};

static void start(struct three *t, const char *program)
{
	vg_case_start(&t->c, program, few_threads);
	t->a = vg_case_patch(&t->c, "a", a_changes, 2, NULL);
	t->b = vg_case_patch(&t->c, "b", b_changes, 2, NULL);
	t->cumulative = vg_case_patch(&t->c, "cumulative", c_changes, 1, &replacing);
	vg_case_picture(&t->c, &t->before);
	vg_case_must_apply(&t->c, t->a);
	vg_case_must_apply(&t->c, t->b);
	expect_all(&t->c, 4, 3, 5);
}

static void end(struct three *t)
{
	ck_assert_uint_eq(vg_case_counts(&t->c).mixed, 0);
	ck_assert_uint_eq(vg_case_counts(&t->c).damaged, 0);
	vg_patch_free(t->a);
	vg_patch_free(t->b);
	vg_patch_free(t->cumulative);
	vg_case_picture_clear(&t->before);
	vg_case_end(&t->c);
}

START_TEST(what_only_the_replaced_patches_changed_is_original_again)
{
	struct vg_patch_options strict = {.timeout = 30, .strict = true};
	struct vg_result result;
	struct three t;

	start(&t, programs[_i]);
	ck_assert_ptr_null(vg_apply(t.cumulative, t.c.pid, &strict, &result));
	ck_assert_msg(result.outcome == VG_OUTCOME_APPLIED, "%s", result.reason);
	ck_assert_uint_eq(result.hide_count, 0);
	ck_assert_uint_eq(result.replaced_count, 2);
	ck_assert_str_eq(result.replaced[0], "a");
	ck_assert_str_eq(result.replaced[1], "b");
	ck_assert_uint_eq(result.note_count, 0);
	vg_result_clear(&result);
	expect_all(&t.c, 6, 1, 1);
	expect_status(&t.c, "cumulative");
	vg_case_must_revert(&t.c, "cumulative");
	expect_all(&t.c, 1, 1, 1);
	vg_case_expect_picture(&t.c, &t.before);
	end(&t);
}
END_TEST

START_TEST(patches_go_on_top_of_one_that_replaced_and_are_replaced_again)
{
	_cleanup_(vg_patch_cleanup) struct vg_patch *next = NULL;
	struct three t;

	start(&t, programs[0]);
	next = vg_case_patch(&t.c, "next", a_changes, 2, &replacing);
	for (int i = 0; i < 5; i++) {
		vg_case_must_apply(&t.c, t.cumulative);
		expect_all(&t.c, 6, 1, 1);
		vg_case_must_apply(&t.c, t.a);
		vg_case_must_apply(&t.c, t.b);
		expect_all(&t.c, 4, 3, 5);
		vg_case_must_revert(&t.c, "a");
		expect_all(&t.c, 4, 1, 5);
		vg_case_must_apply(&t.c, next);
		expect_all(&t.c, 2, 3, 1);
		expect_status(&t.c, "next");
	}
	vg_case_must_revert(&t.c, "next");
	expect_all(&t.c, 1, 1, 1);
	vg_case_expect_picture(&t.c, &t.before);
	end(&t);
}
END_TEST

START_TEST(a_patch_that_replaces_nothing_goes_in_as_any_other)
{
	struct vg_result result;
	struct three t;

	start(&t, programs[0]);
	vg_case_must_revert(&t.c, "a");
	vg_case_must_revert(&t.c, "b");
	vg_case_apply(&t.c, t.cumulative, 30, VG_OUTCOME_APPLIED, &result);
	ck_assert_uint_eq(result.replaced_count, 0);
	vg_result_clear(&result);
	vg_case_apply(&t.c, t.cumulative, 30, VG_OUTCOME_ALREADY, &result);
	vg_result_clear(&result);
	expect_all(&t.c, 6, 1, 1);
	vg_case_must_revert(&t.c, "cumulative");
	vg_case_expect_picture(&t.c, &t.before);
	end(&t);
}
END_TEST

/* Its memory goes away: nobody may be in it, whatever function the new patch changes. */
START_TEST(a_thread_in_a_replaced_patch_makes_the_replacing_one_wait)
{
	static const struct vg_case_change waits[] = {{"busy", 7, VG_CASE_PROGRAM}};
	static const struct vg_case_extra waiting = {.waits = true};
	struct vg_result result;
	struct three t;

	start(&t, programs[0]);
	_cleanup_(vg_patch_cleanup) struct vg_patch *w =
		vg_case_patch(&t.c, "w", waits, 1, &waiting);

	vg_case_must_apply(&t.c, w);
	free(vg_case_ask(&t.c, 'b', "busy"));
	vg_case_apply(&t.c, t.cumulative, 0.5, VG_OUTCOME_BUSY, &result);
	ck_assert_uint_eq(result.blocker_count, 1);
	vg_result_clear(&result);
	expect_all(&t.c, 4, 3, 5);

	char *line = vg_case_ask(&t.c, 'r', "released");

	ck_assert_str_eq(line, "released 7");
	free(line);
	vg_case_must_apply(&t.c, t.cumulative);
	expect_all(&t.c, 6, 1, 1);
	end(&t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_replace");
	TCase *tcase = tcase_create("replace");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, what_only_the_replaced_patches_changed_is_original_again, 0, 2);
	tcase_add_test(tcase, patches_go_on_top_of_one_that_replaced_and_are_replaced_again);
	tcase_add_test(tcase, a_patch_that_replaces_nothing_goes_in_as_any_other);
	tcase_add_test(tcase, a_thread_in_a_replaced_patch_makes_the_replacing_one_wait);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
