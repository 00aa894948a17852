/* SPDX-License-Identifier: MIT */
/*
 * The memory of a patch that is out stays mapped as long as something points into it: what new code
 * has stored in live data does not dangle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const char *const few_threads[5] = {"1", "1", "1", "1", "1"};
static const char *const nobody_calls[5] = {"1", "1", "1", "1", "0"};
static const struct vg_case_change change[] = {{"first", 7, VG_CASE_PROGRAM}};
static const struct vg_case_change other_change[] = {{"second", 8, VG_CASE_PROGRAM}};
static const struct vg_case_extra keeping = {.keeps = true};

static void expect_kept(struct vg_case *c, int value)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'k', "kept");
	char expected[32];

	snprintf(expected, sizeof(expected), "kept %d", value);
	ck_assert_str_eq(line, expected);
}

static void expect_applied(const struct vg_case *c, size_t count)
{
	struct vg_status status;

	ck_assert_ptr_null(vg_status_read(c->pid, &status));
	ck_assert_uint_eq(status.count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert(!status.applied[i].interrupted);
	vg_status_clear(&status);
}

/* Reverts, and the result must say that memory stays. */
static void revert_with_note(struct vg_case *c)
{
	struct vg_result result;

	vg_case_revert(c, "fix", 30, VG_OUTCOME_REVERTED, &result);
	ck_assert_uint_eq(result.note_count, 1);
	ck_assert_msg(strstr(result.notes[0], "points into it") != NULL, "%s", result.notes[0]);
	ck_assert(!result.recovered);
	ck_assert_uint_eq(result.blocker_count, 0);
	vg_result_clear(&result);
}

/* The next verb, whatever it is for, gives the memory back. */
static void touch(struct vg_case *c)
{
	struct vg_result result;

	vg_case_revert(c, "none", 30, VG_OUTCOME_ALREADY, &result);
	ck_assert_uint_eq(result.note_count, 0);
	ck_assert(!result.recovered);
	vg_result_clear(&result);
}

START_TEST(memory_that_live_data_points_into_stays_until_nothing_does)
{
	struct vg_case_picture before;
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", change, 1, &keeping);

	vg_case_picture(&c, &before);
	vg_case_must_apply(&c, patch);
	vg_case_expect_answers(&c, 7, 1);
	revert_with_note(&c);
	vg_case_expect_answers(&c, 1, 1);
	expect_kept(&c, 7);
	expect_applied(&c, 0);
	touch(&c);
	expect_kept(&c, 7);
	vg_case_revert(&c, "fix", 0, VG_OUTCOME_ALREADY, &result);
	vg_result_clear(&result);
	free(vg_case_ask(&c, 'n', "forgotten"));
	touch(&c);
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

/*
 * On a loaded host a stop may need several attempts; a stop of its own for the memory would make it
 * two at least, each time.
 */
START_TEST(a_revert_gives_memory_back_in_the_stop_that_takes_the_patch_out)
{
	struct vg_case_picture before;
	struct vg_result result;
	unsigned fewest = 2;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", change, 1, NULL);

	vg_case_picture(&c, &before);
	for (int i = 0; i < 200 && fewest > 1; i++) {
		vg_case_must_apply(&c, patch);
		vg_case_revert(&c, "fix", 30, VG_OUTCOME_REVERTED, &result);
		ck_assert_uint_eq(result.note_count, 0);
		fewest = result.stops < fewest ? result.stops : fewest;
		vg_result_clear(&result);
		vg_case_expect_picture(&c, &before);
	}
	ck_assert_uint_eq(fewest, 1);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_patch_goes_in_again_beside_its_retired_memory)
{
	struct vg_case_picture before;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", change, 1, &keeping);
	_cleanup_(vg_patch_cleanup) struct vg_patch *other =
		vg_case_patch(&c, "other", other_change, 1, NULL);

	vg_case_picture(&c, &before);
	for (int i = 0; i < 5; i++) {
		vg_case_must_apply(&c, patch);
		expect_applied(&c, 1);
		vg_case_expect_answers(&c, 7, 1);
		revert_with_note(&c);
		vg_case_must_apply(&c, other);
		expect_applied(&c, 1);
		expect_kept(&c, 7);
		vg_case_expect_answers(&c, 1, 8);
		vg_case_must_revert(&c, "other");
	}
	free(vg_case_ask(&c, 'n', "forgotten"));
	touch(&c);
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

/* The last place of all: where it is, no search of memory sees it. */
START_TEST(memory_that_a_vector_register_points_into_stays)
{
	static const char *const registers = "xyz";
	struct vg_case_picture before;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", nobody_calls);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", change, 1, &keeping);

	vg_case_picture(&c, &before);
	for (const char *which = registers; *which; which++) {
		vg_case_must_apply(&c, patch);
		vg_case_expect_answers(&c, 7, 1);
		_cleanup_free_ char *line = vg_case_ask(&c, *which, "holding");

		if (strcmp(line, "holding 1") == 0) {
			expect_kept(&c, 0);
			revert_with_note(&c);
			touch(&c);
			free(vg_case_ask(&c, 'l', "let go"));
		} else {
			printf("no vector register of kind %c here\n", *which);
			free(vg_case_ask(&c, 'n', "forgotten"));
			vg_case_must_revert(&c, "fix");
		}
		touch(&c);
		vg_case_expect_picture(&c, &before);
	}
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_replaced_patch_that_is_pointed_into_stays_mapped)
{
	static const struct vg_case_extra replacing = {.replace = true};
	struct vg_case_picture before;
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", change, 1, &keeping);
	_cleanup_(vg_patch_cleanup) struct vg_patch *other =
		vg_case_patch(&c, "other", other_change, 1, &replacing);

	vg_case_picture(&c, &before);
	vg_case_must_apply(&c, patch);
	vg_case_expect_answers(&c, 7, 1);
	vg_case_apply(&c, other, 30, VG_OUTCOME_APPLIED, &result);
	ck_assert_uint_eq(result.note_count, 1);
	vg_result_clear(&result);
	expect_applied(&c, 1);
	expect_kept(&c, 7);
	vg_case_expect_answers(&c, 1, 8);
	free(vg_case_ask(&c, 'n', "forgotten"));
	vg_case_must_revert(&c, "other");
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_retire");
	TCase *tcase = tcase_create("retire");

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, memory_that_live_data_points_into_stays_until_nothing_does);
	tcase_add_test(tcase, a_revert_gives_memory_back_in_the_stop_that_takes_the_patch_out);
	tcase_add_test(tcase, a_patch_goes_in_again_beside_its_retired_memory);
	tcase_add_test(tcase, memory_that_a_vector_register_points_into_stays);
	tcase_add_test(tcase, a_replaced_patch_that_is_pointed_into_stays_mapped);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
