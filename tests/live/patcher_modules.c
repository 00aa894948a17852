/* SPDX-License-Identifier: MIT */
/* Patches over several modules, targets that fork, threads that come and go, damaged areas. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vgraft/area.h>
#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/process_maps.h"
#include "patcher/memory.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const char *const few_threads[5] = {"1", "1", "1", "1", "1"};
static const char *const no_threads[5] = {"0", "0", "0", "0", "0"};
static const char *const programs[] = {"patcher_target", "patcher_target_fixed"};
static const struct vg_case_change three[] = {{"first", 2, VG_CASE_PROGRAM},
					      {"second", 3, VG_CASE_PROGRAM},
					      {"third", 4, VG_CASE_LIBRARY}};

static void expect_third(struct vg_case *c, int value)
{
	_cleanup_free_ char *line = vg_case_ask(c, 't', "third");
	char expected[32];

	snprintf(expected, sizeof(expected), "third %d", value);
	ck_assert_str_eq(line, expected);
}

START_TEST(a_patch_for_program_and_library_is_one)
{
	struct vg_case_extra extra = {.data = _i >= 2};
	struct vg_case_picture before;
	struct vg_case c;

	vg_case_start(&c, programs[_i % 2], few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", three, extra.data ? 2 : 3, &extra);
	int third = extra.data ? 1 : 4;

	vg_case_picture(&c, &before);
	for (int i = 0; i < 10; i++) {
		vg_case_must_apply(&c, patch);
		vg_case_expect_answers(&c, 2, 3);
		expect_third(&c, third);
		vg_case_must_revert(&c, "fix");
		vg_case_expect_answers(&c, 1, 1);
		expect_third(&c, 1);
	}
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

static const struct vg_case_change four[] = {{"first", 2, VG_CASE_PROGRAM},
					     {"second", 3, VG_CASE_PROGRAM},
					     {"third", 4, VG_CASE_LIBRARY},
					     {"fourth", 5, VG_CASE_PLUGIN}};

static void expect_fourth(struct vg_case *c, int value)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'q', "fourth");
	char expected[32];

	snprintf(expected, sizeof(expected), "fourth %d", value);
	ck_assert_str_eq(line, expected);
}

static void expect_old(struct vg_case *c)
{
	vg_case_expect_answers(c, 1, 1);
	expect_third(c, 1);
}

static void expect_status(const struct vg_case *c, bool interrupted)
{
	struct vg_status status;

	ck_assert_ptr_null(vg_status_read(c->pid, &status));
	ck_assert_uint_eq(status.count, 1);
	ck_assert(status.applied[0].interrupted == interrupted);
	vg_status_clear(&status);
}

START_TEST(a_module_that_is_not_loaded_is_refused_by_name_and_one_that_was_dlopened_is_patched)
{
	struct vg_case_picture before;
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, programs[_i], few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", four, 4, NULL);

	vg_case_picture(&c, &before);
	vg_case_apply(&c, patch, 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_msg(strstr(result.reason, "has not loaded libpatcher_plugin.so") != NULL, "%s",
		      result.reason);
	vg_result_clear(&result);
	expect_old(&c);
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	free(vg_case_ask(&c, 'd', "loaded"));
	vg_case_picture(&c, &before);
	vg_case_must_apply(&c, patch);
	vg_case_expect_answers(&c, 2, 3);
	expect_third(&c, 4);
	expect_fourth(&c, 5);
	vg_case_must_revert(&c, "fix");
	expect_old(&c);
	expect_fourth(&c, 1);
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

/* Nothing can keep a program from unloading it: what is left is told, and can be reverted. */
START_TEST(a_module_that_is_unloaded_while_patched_is_told_and_the_rest_comes_out)
{
	struct vg_case_picture before;
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, programs[0], few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", four, 4, NULL);

	vg_case_picture(&c, &before);
	free(vg_case_ask(&c, 'd', "loaded"));
	vg_case_must_apply(&c, patch);
	expect_status(&c, false);
	free(vg_case_ask(&c, 'D', "unloaded"));
	for (int i = 0; i < 2; i++) {
		vg_case_expect_answers(&c, 2, 3);
		expect_status(&c, true);
		vg_case_apply(&c, patch, 0, VG_OUTCOME_REFUSED, &result);
		ck_assert_msg(strstr(result.reason, "was unloaded since") != NULL, "%s",
			      result.reason);
		vg_result_clear(&result);
		/* Loaded again, it may lie where it lay before, and is not patched. */
		if (i == 0)
			free(vg_case_ask(&c, 'd', "loaded"));
	}
	expect_fourth(&c, 1);
	vg_case_must_revert(&c, "fix");
	expect_old(&c);
	expect_fourth(&c, 1);
	vg_case_must_apply(&c, patch);
	expect_fourth(&c, 5);
	vg_case_must_revert(&c, "fix");
	free(vg_case_ask(&c, 'D', "unloaded"));
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

static void expect_child(struct vg_case *c, int first, int second)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'c', "child");
	char expected[64];

	snprintf(expected, sizeof(expected), "child %d %d", first, second);
	ck_assert_str_eq(line, expected);
}

START_TEST(a_fork_child_inherits_the_patch_and_is_patched_on_its_own)
{
	struct vg_case c, child;
	int pid;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", three, 3, NULL);

	vg_case_must_apply(&c, patch);
	char *line = vg_case_ask(&c, 'f', "forked");

	ck_assert_int_eq(sscanf(line, "forked %d", &pid), 1);
	free(line);
	child = c;
	child.pid = pid;
	expect_child(&c, 2, 3);
	vg_case_must_revert(&child, "fix");
	expect_child(&c, 1, 1);
	vg_case_expect_answers(&c, 2, 3);
	vg_case_must_apply(&child, patch);
	vg_case_must_revert(&c, "fix");
	expect_child(&c, 2, 3);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

START_TEST(threads_that_are_born_and_die_all_the_time_do_not_matter)
{
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", three, 3, NULL);

	free(vg_case_ask(&c, 's', "storm"));
	for (int i = 0; i < 50; i++) {
		vg_case_must_go_in_and_out(&c, patch, 2, 3);
	}
	struct vg_case_counts counts = vg_case_counts(&c);

	ck_assert_uint_eq(counts.mixed, 0);
	ck_assert_uint_eq(counts.damaged, 0);
	vg_case_end(&c);
}
END_TEST

static uint64_t find_area(pid_t pid, const struct vg_memory *memory, struct vga_header *header)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};

	ck_assert_ptr_null(vg_maps_read(pid, &maps));
	for (size_t i = 0; i < maps.count; i++)
		if (vg_memory_read_some(memory, maps.maps[i].start, header, sizeof(*header)) ==
			    sizeof(*header) &&
		    memcmp(header->magic, VGA_MAGIC, sizeof(header->magic)) == 0)
			return maps.maps[i].start;
	ck_abort_msg("no patch area");
}

/* Every byte of the header is spoilt once: no verb may crash, and none may do anything. */
START_TEST(a_damaged_area_stops_every_verb_and_is_left_alone)
{
	struct vg_patch_options options = {.timeout = 0};
	struct vga_header header;
	struct vg_memory memory;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", no_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", three, 2, NULL);

	vg_case_must_apply(&c, patch);
	ck_assert_ptr_null(vg_memory_open(c.pid, &memory));

	uint64_t area = find_area(c.pid, &memory, &header);
	unsigned noticed = 0;

	for (size_t i = sizeof(header.magic); i < sizeof(header); i++) {
		struct vga_header spoilt = header;
		struct vg_status status;
		struct vg_error *error;

		((uint8_t *)&spoilt)[i] ^= 0x80;
		ck_assert_ptr_null(vg_memory_write(&memory, area, &spoilt, sizeof(spoilt)));
		error = vg_status_read(c.pid, &status);
		noticed += error != NULL;
		vg_error_free(error);
		vg_status_clear(&status);
		vg_case_expect_answers(&c, 2, 3);
	}
	ck_assert_uint_gt(noticed, sizeof(header) / 2);

	struct vga_header spoilt = header;
	struct vg_result result;

	spoilt.text_offset ^= 0x80000000;
	ck_assert_ptr_null(vg_memory_write(&memory, area, &spoilt, sizeof(spoilt)));
	struct vg_error *error = vg_revert("fix", c.pid, &options, &result);

	ck_assert_ptr_nonnull(error);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "damaged"));
	vg_error_free(error);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 2, 3);
	ck_assert_ptr_null(vg_memory_write(&memory, area, &header, sizeof(header)));
	vg_case_must_revert(&c, "fix");
	vg_memory_close(&memory);
	vg_case_end(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_modules");
	TCase *tcase = tcase_create("modules");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, a_patch_for_program_and_library_is_one, 0, 4);
	tcase_add_loop_test(
		tcase,
		a_module_that_is_not_loaded_is_refused_by_name_and_one_that_was_dlopened_is_patched,
		0, 2);
	tcase_add_test(tcase,
		       a_module_that_is_unloaded_while_patched_is_told_and_the_rest_comes_out);
	tcase_add_test(tcase, a_fork_child_inherits_the_patch_and_is_patched_on_its_own);
	tcase_add_test(tcase, threads_that_are_born_and_die_all_the_time_do_not_matter);
	tcase_add_test(tcase, a_damaged_area_stops_every_verb_and_is_left_alone);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
