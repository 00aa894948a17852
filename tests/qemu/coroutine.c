/* SPDX-License-Identifier: MIT */
/*
 * A coroutine of a real QEMU stands in a changed function while no thread runs it: a request that
 * the block layer's throttling holds back. Dozens of other coroutines are there, pooled.
 */
#include <stdio.h>
#include <string.h>

#include "tests/lib/guest.h"
#include "tests/lib/qemu_patch.h"
#include "tests/lib/suite.h"

/* Changes the function in which a throttled request waits. */
#define PATCH	 "tests/qemu/patches/throttle"
#define FUNCTION "throttle_group_co_io_limits_intercept"

/* `bytes` a second; 0: no limit, and what waits goes on. */
static void throttle(const struct vg_qemu *qemu, int bytes)
{
	vg_must(vg_qmp_ask(vg_qemu_qmp(qemu), "block_set_io_throttle",
			   json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "device", "disk", "bps",
				     bytes, "bps_rd", 0, "bps_wr", 0, "iops", 0, "iops_rd", 0,
				     "iops_wr", 0),
			   NULL));
}

static json_t *ask(const char *verb, const struct vg_qemu_patch *patch, const struct vg_qemu *qemu,
		   const char *timeout, int *code)
{
	const char *words[] = {verb, patch->object, "--pid", NULL, NULL, NULL, NULL};
	json_t *answer = NULL;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)vg_qemu_pid(qemu));
	words[3] = pid;
	if (timeout) {
		words[4] = "--timeout";
		words[5] = timeout;
	}
	vg_must(vg_command(words, code, &answer));
	return answer;
}

struct suspension {
	const struct vg_qemu_patch *patch;
	const struct vg_qemu *qemu;
};

static bool is_suspended(void *argument)
{
	const struct suspension *s = argument;
	int code;

	json_decref(ask("check", s->patch, s->qemu, NULL, &code));
	return code == VG_BUSY;
}

/* The first request uses up what the limit allows; the second waits for an hour. */
static void suspend_request(struct vg_qemu *qemu, const struct vg_qemu_patch *patch)
{
	struct suspension s = {patch, qemu};

	throttle(qemu, 1);
	vg_must(vg_qemu_command(qemu, "read", "vg-read done", NULL));
	vg_must(vg_qemu_send(qemu, "read"));
	vg_must(vg_process_wait(vg_qemu_process(qemu), is_suspended, &s,
				"the request to be held back"));
}

static void expect_coroutine(const json_t *answer)
{
	const json_t *blocker = json_array_get(json_object_get(answer, "blockers"), 0);
	const json_t *backtrace = json_object_get(blocker, "backtrace"), *frame;
	bool named = false;
	size_t i;

	ck_assert_str_eq(vg_answer_text(answer, "result"), "busy");
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "blockers")), 1);
	ck_assert_ptr_nonnull(json_object_get(blocker, "coroutine"));
	ck_assert_str_eq(vg_answer_text(blocker, "function"), FUNCTION);
	ck_assert_uint_gt(json_array_size(backtrace), 2);
	json_array_foreach(backtrace, i, frame) if (strstr(json_string_value(frame), FUNCTION))
		named = true;
	ck_assert_msg(named, "%s is not in the backtrace", FUNCTION);
	ck_assert_ptr_nonnull(strstr(vg_answer_text(answer, "reason"), FUNCTION));
}

START_TEST(a_suspended_request_makes_apply_wait_until_it_ends)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	_cleanup_process_ struct vg_process *apply = NULL;
	_cleanup_answer_ json_t *answer = NULL;
	struct vg_qemu_patch patch;
	char vgraft[PATH_MAX + 16], pid[16];
	int code;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(PATCH, &patch));
	vg_must(vg_qemu_start(&(struct vg_qemu_options){0}, &qemu));
	suspend_request(qemu, &patch);
	answer = ask("apply", &patch, qemu, "1", &code);
	ck_assert_int_eq(code, VG_BUSY);
	expect_coroutine(answer);

	snprintf(vgraft, sizeof(vgraft), "%s/vgraft", vg_build_folder());
	snprintf(pid, sizeof(pid), "%d", (int)vg_qemu_pid(qemu));
	vg_must(vg_process_start((const char *const[]){vgraft, "apply", patch.object, "--pid", pid,
						       "--timeout", "60", NULL},
				 &apply));
	throttle(qemu, 0);
	vg_must(vg_qemu_await(qemu, "vg-read done", NULL));
	vg_must(vg_process_wait_end(apply));
	ck_assert_msg(vg_process_exit_code(apply) == 0, "%s", apply->messages.text);

	vg_must(vg_qemu_command(qemu, "read", "vg-read done", NULL));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(qemu), 10));
	vg_must(vg_qemu_patch_revert(&patch, qemu, NULL));
	vg_must(vg_qemu_power_off(qemu));
	vg_must(vg_qemu_check_disk(qemu));
}
END_TEST

/* Pooled coroutines have run through the function; nobody is in it now. */
START_TEST(pooled_coroutines_hold_nobody_up)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	_cleanup_answer_ json_t *answer = NULL;
	struct vg_qemu_counts counts;
	struct vg_qemu_patch patch;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(PATCH, &patch));
	vg_must(vg_qemu_start(&(struct vg_qemu_options){0}, &qemu));
	throttle(qemu, 1 << 30);
	vg_must(vg_qemu_start_streams(qemu));
	vg_must(vg_qemu_wait_verified(qemu, 500));
	vg_must(vg_qemu_end_streams(qemu, &counts));
	vg_must(vg_qemu_patch_apply(&patch, qemu, &answer));
	ck_assert_double_gt(vg_answer_number(answer, "coroutines"), 1);
	vg_must(vg_qemu_power_off(qemu));
	vg_must(vg_qemu_check_disk(qemu));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu coroutine");
	TCase *tests = tcase_create("coroutine");

	tcase_set_timeout(tests, 15 * VG_HANG_SECONDS);
	tcase_add_test(tests, a_suspended_request_makes_apply_wait_until_it_ends);
	tcase_add_test(tests, pooled_coroutines_hold_nobody_up);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
