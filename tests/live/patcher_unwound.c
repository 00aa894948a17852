/* SPDX-License-Identifier: MIT */
/*
 * The unwinder of a live program sees through patched functions: C++ exceptions, backtrace(), a
 * profiler's signals and cancellation, whatever is applied and in whatever order it comes out, and
 * whenever the tool is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "tests/lib/killer.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"
#include "tests/lib/unwound.h"

static void expect_all_seen(struct vg_process *process, int sum)
{
	vg_unwound_expect(process, 'r', "returned", sum);
	vg_unwound_expect(process, 't', "thrown 7 cleaned", 1);
	vg_unwound_expect(process, 'b', "traced", 1);
	vg_unwound_expect(process, 'c', "cancelled 1 cleaned", 1);
}

static void apply(const struct vg_process *process, const char *name)
{
	char verb[64];

	snprintf(verb, sizeof(verb), "apply %s.vgp", name);
	vg_unwound_vgraft_says(process, verb, "\"applied\"");
}

static void revert(const struct vg_process *process, const char *name)
{
	char verb[64];

	snprintf(verb, sizeof(verb), "revert %s", name);
	vg_unwound_vgraft_says(process, verb, "\"reverted\"");
}

START_TEST(exceptions_backtraces_and_cancellation_pass_through_patched_functions)
{
	_cleanup_process_ struct vg_process *process = vg_unwound_start();

	expect_all_seen(process, 11);
	apply(process, "outer");
	expect_all_seen(process, 12);
	revert(process, "outer");
	expect_all_seen(process, 11);
}
END_TEST

/* The first unwind binds the slot that the patch has taken over. */
START_TEST(a_program_that_never_unwound_before_it_was_patched_unwinds)
{
	_cleanup_process_ struct vg_process *process = vg_unwound_start();

	apply(process, "outer");
	expect_all_seen(process, 12);
	revert(process, "outer");
	expect_all_seen(process, 11);
}
END_TEST

START_TEST(patches_come_out_of_the_chain_in_any_order)
{
	static const char *const names[] = {"outer", "inner"};
	_cleanup_process_ struct vg_process *process = vg_unwound_start();
	const char *first = names[_i], *second = names[!_i];

	for (int i = 0; i < 2; i++) {
		apply(process, first);
		apply(process, second);
		expect_all_seen(process, 22);
		revert(process, i ? first : second);
		expect_all_seen(process, (i ? first : second) == names[0] ? 21 : 12);
		revert(process, i ? second : first);
		expect_all_seen(process, 11);
	}
}
END_TEST

START_TEST(a_profiler_sees_through_every_instruction_of_the_way_in)
{
	_cleanup_process_ struct vg_process *process = vg_unwound_start();

	apply(process, "outer");
	apply(process, "inner");
	vg_unwound_expect(process, 'p', "sampled 1 blind", 0);
}
END_TEST

static bool is_nth(void *context, const struct vg_killer_call *call, size_t nth)
{
	(void)call;
	return nth == *(size_t *)context;
}

/* The stores of the stop, as patcher_kill.c has them. Counts `*context` down. */
static bool is_store_of_stop(void *context, const struct vg_killer_call *call, size_t nth)
{
	size_t *left = context;

	(void)nth;
	return call->thread >= 2 && call->number == SYS_pwrite64 && !(*left)--;
}

/* False: it came to its end. */
static bool kill_at(const struct vg_process *process, const char *verb, const char *what,
		    vg_killer_choice *choice, size_t at)
{
	struct vg_killer killer;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", process->pid);

	const char *argv[] = {vg_unwound_vgraft(), verb, what, "--pid", pid,
			      "--timeout",	   "30", NULL};

	vg_killer_run(argv, choice, &at, &killer);

	bool killed = killer.killed;

	vg_killer_clear(&killer);
	return killed;
}

/*
 * ARMING, slot, entry, switch word: killed before the switch word, calls of outer() run the old
 * code through its displaced instructions, one of which is a call.
 */
START_TEST(an_exception_passes_through_displaced_instructions)
{
	_cleanup_process_ struct vg_process *process = vg_unwound_start();

	ck_assert(kill_at(process, "apply", "outer.vgp", is_store_of_stop, 3));
	vg_unwound_vgraft_says(process, "status", "\"interrupted\"");
	expect_all_seen(process, 11);
	vg_unwound_expect(process, 'p', "sampled 1 blind", 0);
	vg_unwound_vgraft_says(process, "revert outer", "taken out");
	expect_all_seen(process, 11);
}
END_TEST

START_TEST(a_cumulative_patch_is_left_alone_in_the_chain)
{
	_cleanup_process_ struct vg_process *process = vg_unwound_start();

	apply(process, "outer");
	apply(process, "inner");
	apply(process, "all");
	expect_all_seen(process, 12);
	apply(process, "inner");
	expect_all_seen(process, 22);
	revert(process, "all");
	expect_all_seen(process, 21);
	revert(process, "inner");
	expect_all_seen(process, 11);
}
END_TEST

START_TEST(a_killed_replacement_leaves_the_unwinder_seeing)
{
	_cleanup_process_ struct vg_process *process = vg_unwound_start();
	size_t step = getenv("VGRAFT_KILL_ALL") ? 1 : 7;
	bool killed = true;

	for (size_t at = 1; killed; at += step) {
		apply(process, "outer");
		apply(process, "inner");
		killed = kill_at(process, "apply", "all.vgp", is_nth, at);
		vg_unwound_expect(process, 't', "thrown 7 cleaned", 1);
		vg_unwound_expect(process, 'b', "traced", 1);
		vg_unwound_vgraft_says(process, "apply all.vgp", "\"a");
		expect_all_seen(process, 12);
		revert(process, "all");
		expect_all_seen(process, 11);
	}
}
END_TEST

/* Whatever the kill left, everything is seen, and the next verbs get to each of the two states. */
static void kill_everywhere(const char *verb, const char *what)
{
	_cleanup_process_ struct vg_process *process = vg_unwound_start();
	size_t step = getenv("VGRAFT_KILL_ALL") ? 1 : 7, at = 1;
	bool killed = true;

	apply(process, "inner");
	for (; killed; at += step) {
		if (*verb == 'r')
			apply(process, "outer");
		killed = kill_at(process, verb, what, is_nth, at);
		vg_unwound_expect(process, 't', "thrown 7 cleaned", 1);
		vg_unwound_expect(process, 'b', "traced", 1);
		vg_unwound_vgraft_says(process, "apply outer.vgp", "\"a");
		expect_all_seen(process, 22);
		revert(process, "outer");
		expect_all_seen(process, 21);
	}
	printf("%s: killed at %zu points\n", verb, at / step);
}

START_TEST(a_killed_apply_leaves_the_unwinder_seeing)
{
	kill_everywhere("apply", "outer.vgp");
}
END_TEST

START_TEST(a_killed_revert_leaves_the_unwinder_seeing)
{
	kill_everywhere("revert", "outer");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_unwound");
	TCase *tcase = tcase_create("unwound");

	vg_unwound_find();
	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, vg_unwound_set_up, vg_project_leave);
	tcase_add_test(tcase,
		       exceptions_backtraces_and_cancellation_pass_through_patched_functions);
	tcase_add_test(tcase, a_program_that_never_unwound_before_it_was_patched_unwinds);
	tcase_add_loop_test(tcase, patches_come_out_of_the_chain_in_any_order, 0, 2);
	tcase_add_test(tcase, a_profiler_sees_through_every_instruction_of_the_way_in);
	tcase_add_test(tcase, an_exception_passes_through_displaced_instructions);
	tcase_add_test(tcase, a_cumulative_patch_is_left_alone_in_the_chain);
	tcase_add_test(tcase, a_killed_replacement_leaves_the_unwinder_seeing);
	tcase_add_test(tcase, a_killed_apply_leaves_the_unwinder_seeing);
	tcase_add_test(tcase, a_killed_revert_leaves_the_unwinder_seeing);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
