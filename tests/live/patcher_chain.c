/* SPDX-License-Identifier: MIT */
/* Several patches on one target and on one function: put in, and taken out in any order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

#define PATCHES 3

static const char *const few_threads[5] = {"1", "1", "1", "1", "1"};
static const char *const names[PATCHES] = {"a", "b", "c"};
static const struct vg_case_change changes[PATCHES][2] = {
	{{"first", 2, VG_CASE_PROGRAM}, {"second", 2, VG_CASE_PROGRAM}},
	{{"first", 3, VG_CASE_PROGRAM}, {"second", 3, VG_CASE_PROGRAM}},
	{{"first", 4, VG_CASE_PROGRAM}, {"second", 4, VG_CASE_PROGRAM}},
};
/* Patch b leaves `second` alone, so that the chains of the two functions differ. */
static const size_t change_counts[PATCHES] = {2, 1, 2};
static const int orders[][PATCHES] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
				      {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

/* What the functions return with these patches in. */
static void expect(struct vg_case *c, const bool in[PATCHES])
{
	int first = 1, second = 1;

	for (int i = 0; i < PATCHES; i++) {
		if (in[i])
			first = changes[i][0].value;
		if (in[i] && change_counts[i] > 1)
			second = changes[i][1].value;
	}
	vg_case_expect_answers(c, first, second);
}

START_TEST(patches_on_one_function_come_out_in_any_order)
{
	struct vg_patch *patches[PATCHES];
	struct vg_case_picture before;
	bool in[PATCHES] = {false};
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	vg_case_picture(&c, &before);
	for (int i = 0; i < PATCHES; i++) {
		patches[i] = vg_case_patch(&c, names[i], changes[i], change_counts[i], NULL);
		vg_case_must_apply(&c, patches[i]);
		in[i] = true;
		expect(&c, in);
	}
	for (int i = 0; i < PATCHES; i++) {
		int out = orders[_i][i];

		vg_case_must_revert(&c, names[out]);
		in[out] = false;
		expect(&c, in);
		/* Taken out of the middle, a patch can go in again, on top. */
		if (i == 0 && _i % 2) {
			vg_case_must_apply(&c, patches[out]);
			vg_case_must_revert(&c, names[out]);
			expect(&c, in);
		}
	}
	vg_case_expect_picture(&c, &before);
	ck_assert_uint_eq(vg_case_counts(&c).mixed, 0);
	vg_case_picture_clear(&before);
	for (int i = 0; i < PATCHES; i++)
		vg_patch_free(patches[i]);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_second_patch_on_a_function_is_told_and_strict_refuses_it)
{
	struct vg_patch_options strict = {.timeout = 30, .strict = true};
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *a =
		vg_case_patch(&c, "a", changes[0], 2, NULL);
	_cleanup_(vg_patch_cleanup) struct vg_patch *b =
		vg_case_patch(&c, "b", changes[1], 1, NULL);

	vg_case_must_apply(&c, a);
	ck_assert_ptr_null(vg_apply(b, c.pid, &strict, &result));
	ck_assert_int_eq(result.outcome, VG_OUTCOME_REFUSED);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 2, 2);
	vg_case_apply(&c, b, 30, VG_OUTCOME_APPLIED, &result);
	ck_assert_uint_eq(result.hide_count, 1);
	ck_assert_str_eq(result.hides[0].patch, "a");
	ck_assert_str_eq(result.hides[0].function, "first");
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 3, 2);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_patch_that_another_depends_on_stays)
{
	static const struct vg_case_extra depends = {.depends = "a"};
	struct vg_patch_options strict = {.timeout = 30, .strict = true};
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *a =
		vg_case_patch(&c, "a", changes[0], 2, NULL);
	_cleanup_(vg_patch_cleanup) struct vg_patch *b =
		vg_case_patch(&c, "b", changes[1], 1, &depends);

	vg_case_must_apply(&c, a);
	ck_assert_ptr_null(vg_apply(b, c.pid, &strict, &result));
	ck_assert_int_eq(result.outcome, VG_OUTCOME_APPLIED);
	ck_assert_uint_eq(result.hide_count, 0);
	vg_result_clear(&result);
	vg_case_revert(&c, "a", 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_ptr_nonnull(strstr(result.reason, "revert b first"));
	vg_result_clear(&result);
	vg_case_must_revert(&c, "b");
	vg_case_must_revert(&c, "a");
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

#define MANY 50

static void shuffle(int order[MANY], unsigned *seed)
{
	for (int i = 0; i < MANY; i++)
		order[i] = i;
	for (int i = MANY - 1; i > 0; i--) {
		int j = (int)((unsigned)rand_r(seed) % (unsigned)(i + 1)), kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
}

/* Each changes a random part of three functions, one of them in a library. */
struct many {
	struct vg_patch *patches[MANY];
	struct vg_case_change changes[MANY][3];
	size_t counts[MANY];
	int stack[MANY]; /* those that are in, the oldest first */
	int height;
};

static void make_many(struct many *many, const struct vg_case *c, unsigned *seed)
{
	static const struct vg_case_change functions[] = {{"first", 0, VG_CASE_PROGRAM},
							  {"second", 0, VG_CASE_PROGRAM},
							  {"third", 0, VG_CASE_LIBRARY}};
	char name[16];

	for (int i = 0; i < MANY; i++) {
		unsigned which = 1 + (unsigned)rand_r(seed) % 3;

		for (unsigned f = 0; f < 3; f++) {
			if (f < 2 && !(which & 1u << f))
				continue;
			if (f == 2 && rand_r(seed) % 2)
				continue;
			many->changes[i][many->counts[i]] = functions[f];
			many->changes[i][many->counts[i]++].value = 2 + rand_r(seed) % 8;
		}
		snprintf(name, sizeof(name), "p%d", i);
		many->patches[i] = vg_case_patch(c, name, many->changes[i], many->counts[i], NULL);
	}
}

static int expected_of(const struct many *many, const char *function)
{
	int value = 1;

	for (int i = 0; i < many->height; i++) {
		int p = many->stack[i];

		for (size_t f = 0; f < many->counts[p]; f++)
			if (strcmp(many->changes[p][f].function, function) == 0)
				value = many->changes[p][f].value;
	}
	return value;
}

static void expect_many(struct vg_case *c, const struct many *many)
{
	char expected[32];

	vg_case_expect_answers(c, expected_of(many, "first"), expected_of(many, "second"));
	snprintf(expected, sizeof(expected), "third %d", expected_of(many, "third"));
	_cleanup_free_ char *line = vg_case_ask(c, 't', "third");

	ck_assert_str_eq(line, expected);
}

static void take_out(struct many *many, int patch)
{
	int at = 0;

	while (many->stack[at] != patch)
		at++;
	many->height--;
	for (; at < many->height; at++)
		many->stack[at] = many->stack[at + 1];
}

START_TEST(fifty_patches_on_three_functions_come_out_in_random_order)
{
	unsigned seed = 20261126 + (unsigned)_i;
	struct vg_case_picture before;
	struct many many = {.height = 0};
	int order[MANY];
	char name[16];
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	vg_case_picture(&c, &before);
	make_many(&many, &c, &seed);
	shuffle(order, &seed);
	for (int i = 0; i < MANY; i++) {
		vg_case_must_apply(&c, many.patches[order[i]]);
		many.stack[many.height++] = order[i];
		expect_many(&c, &many);
	}
	shuffle(order, &seed);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "p%d", order[i]);
		vg_case_must_revert(&c, name);
		take_out(&many, order[i]);
		expect_many(&c, &many);
	}
	vg_case_expect_picture(&c, &before);
	ck_assert_uint_eq(vg_case_counts(&c).mixed, 0);
	vg_case_picture_clear(&before);
	for (int i = 0; i < MANY; i++)
		vg_patch_free(many.patches[i]);
	vg_case_end(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_chain");
	TCase *tcase = tcase_create("chain");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, patches_on_one_function_come_out_in_any_order, 0,
			    sizeof(orders) / sizeof(orders[0]));
	tcase_add_loop_test(tcase, fifty_patches_on_three_functions_come_out_in_random_order, 0, 2);
	tcase_add_test(tcase, a_second_patch_on_a_function_is_told_and_strict_refuses_it);
	tcase_add_test(tcase, a_patch_that_another_depends_on_stays);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
