// SPDX-License-Identifier: MIT
/* The search for suspended coroutines, against real coroutines of a real program. */
#include "patcher/stack_check.h"
#include "patcher/stack_thread.h"
#include "tests/live/targets/stack_probe.h"

/* Threads first, as the patcher does; they must be safe for the coroutine to be what counts. */
static void run_with_coroutines(struct probe *probe, const char *mode)
{
	probe_run(probe, mode);
	ck_assert_msg(probe->verdict == VG_SAFE, "%s: thread: %s", mode,
		      probe->why ? probe->why : "in a frame");
	probe_coroutines(probe);
	if (getenv("VGRAFT_TEST_VERBOSE"))
		probe_print(probe);
}

static void assert_blocks(const char *mode)
{
	struct probe probe;

	run_with_coroutines(&probe, mode);
	ck_assert_msg(probe.verdict == VG_UNSAFE, "%s", mode);
	ck_assert_int_eq(probe.blocker.tid, 0);
	ck_assert_uint_ne(probe.blocker.coroutine, 0);
	ck_assert_str_eq(probe.blocker.function, "changed");
	ck_assert_uint_gt(probe.blocker.backtrace_count, 1);
	ck_assert_msg(!probe.why, "%s: undecided: %s", mode, probe.why);
	ck_assert_uint_ge(probe.coroutines, 1);
	probe_end(&probe);
}

static void assert_does_not_block(const char *mode, unsigned coroutines)
{
	struct probe probe;

	run_with_coroutines(&probe, mode);
	ck_assert_msg(probe.verdict == VG_SAFE, "%s: %s", mode, probe.why);
	ck_assert_msg(probe.coroutines == coroutines, "%s: %u coroutines", mode, probe.coroutines);
	probe_end(&probe);
}

START_TEST(a_coroutine_suspended_in_the_changed_function_is_unsafe_wherever_it_lies)
{
	assert_blocks("co-static");
	assert_blocks("co-heap");
	assert_blocks("co-mapped");
	assert_blocks("co-in-frame");
	assert_blocks("co-of-thread");
}
END_TEST

START_TEST(a_coroutine_that_was_finished_does_not_block)
{
	assert_does_not_block("co-finished", 0);
}
END_TEST

START_TEST(a_coroutine_that_waits_elsewhere_does_not_block)
{
	assert_does_not_block("co-leftovers", 1);
}
END_TEST

START_TEST(a_coroutine_at_its_first_instruction_is_safe_and_then_no_longer)
{
	assert_does_not_block("co-not-started", 1);
	assert_blocks("co-just-started");
}
END_TEST

START_TEST(a_coroutine_without_unwind_information_is_unsafe)
{
	struct probe probe;

	run_with_coroutines(&probe, "co-without-cfi");
	ck_assert_int_eq(probe.verdict, VG_UNSAFE);
	ck_assert_ptr_nonnull(probe.why);
	ck_assert_ptr_nonnull(strstr(probe.why, "without unwind information"));
	probe_end(&probe);
}
END_TEST

START_TEST(the_suspended_caller_of_a_coroutine_that_runs_is_checked)
{
	struct probe probe;

	probe_run(&probe, "co-caller-in-changed");
	if (probe.verdict == VG_SAFE)
		probe_coroutines(&probe);
	ck_assert_int_eq(probe.verdict, VG_UNSAFE);
	ck_assert_str_eq(probe.blocker.function, "changed");
	probe_end(&probe);
	assert_does_not_block("co-runs-over-clean-caller", 1);
	assert_does_not_block("co-runs-over-leftovers", 1);
}
END_TEST

START_TEST(coroutines_as_qemu_makes_them_are_found_suspended_and_pooled)
{
	assert_blocks("pooled-in-changed");
	assert_does_not_block("pooled-idle", 1);
	assert_does_not_block("pooled-resumed", 1);
}
END_TEST

START_TEST(coroutines_on_alternate_signal_stacks_are_found)
{
	assert_blocks("signal-stack-in-changed");
}
END_TEST

START_TEST(a_jmp_buf_that_outlived_its_function_does_not_block)
{
	assert_does_not_block("stale-jmp-buf", 0);
	assert_does_not_block("stale-jmp-buf-under-live-frames", 0);
}
END_TEST

/* It comes into being after the search that was made while the target ran. */
START_TEST(a_coroutine_that_was_not_there_before_the_stop_is_found_in_it)
{
	struct probe probe;

	probe_start(&probe, "co-mapped");
	coroutine_search_clear(&probe.stacks->before);
	probe_stop(&probe);
	probe_threads(&probe);
	ck_assert_int_eq(probe.verdict, VG_SAFE);
	probe_coroutines(&probe);
	ck_assert_int_eq(probe.verdict, VG_UNSAFE);
	probe_end(&probe);
}
END_TEST

START_TEST(a_program_that_cannot_make_coroutines_is_not_searched)
{
	struct vg_memory memory = {.fd = -1};
	struct vg_stacks *stacks;
	int pipes[2], more[2];
	char byte;

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(pipe(more), 0);
	memory.pid = fork();
	if (!memory.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[0], STDIN_FILENO);
		dup2(more[1], STDOUT_FILENO);
		execl("/bin/cat", "cat", NULL);
		_exit(127);
	}
	/* Once it has copied a byte it has been loaded. */
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(read(more[0], &byte, 1), 1);
	probe_ok(vg_memory_open(memory.pid, &memory));
	probe_ok(vg_stacks_open(memory.pid, &memory, &stacks));
	probe_ok(vg_stacks_prepare(stacks, NULL, 0));
	ck_assert(!stacks->can_coroutine);
	ck_assert_uint_eq(stacks->before.bytes, 0);
	vg_stacks_close(stacks);
	vg_memory_close(&memory);
	kill(memory.pid, SIGKILL);
	waitpid(memory.pid, NULL, 0);
}
END_TEST

START_TEST(a_program_without_dynamic_linking_is_searched_always)
{
	probe_program = "stack_static";
	assert_blocks("co-heap");
	assert_blocks("pooled-in-changed");
	assert_does_not_block("co-finished", 0);
	assert_does_not_block("pooled-resumed", 1);
	assert_does_not_block("idle", 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stacks of coroutines");
	TCase *tcase = tcase_create("coroutines");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase,
		       a_coroutine_suspended_in_the_changed_function_is_unsafe_wherever_it_lies);
	tcase_add_test(tcase, a_coroutine_that_was_finished_does_not_block);
	tcase_add_test(tcase, a_coroutine_that_waits_elsewhere_does_not_block);
	tcase_add_test(tcase, a_coroutine_at_its_first_instruction_is_safe_and_then_no_longer);
	tcase_add_test(tcase, a_coroutine_without_unwind_information_is_unsafe);
	tcase_add_test(tcase, the_suspended_caller_of_a_coroutine_that_runs_is_checked);
	tcase_add_test(tcase, coroutines_as_qemu_makes_them_are_found_suspended_and_pooled);
	tcase_add_test(tcase, coroutines_on_alternate_signal_stacks_are_found);
	tcase_add_test(tcase, a_jmp_buf_that_outlived_its_function_does_not_block);
	tcase_add_test(tcase, a_coroutine_that_was_not_there_before_the_stop_is_found_in_it);
	tcase_add_test(tcase, a_program_that_cannot_make_coroutines_is_not_searched);
	tcase_add_test(tcase, a_program_without_dynamic_linking_is_searched_always);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
