// SPDX-License-Identifier: MIT
/* The stack check against real threads of a real program. */
#include "patcher/stack_check.h"
#include "tests/live/targets/stack_probe.h"

static void assert_unsafe_in_changed(const char *mode)
{
	struct probe probe;

	probe_run(&probe, mode);
	ck_assert_int_eq(probe.verdict, VG_UNSAFE);
	ck_assert_int_ne(probe.blocker.tid, 0);
	ck_assert_str_eq(probe.blocker.function, "changed");
	ck_assert_str_eq(probe.blocker.name, probe_program);
	ck_assert_uint_gt(probe.blocker.backtrace_count, 2);
	ck_assert_msg(!probe.why, "undecided: %s", probe.why);
	probe_end(&probe);
}

static void assert_safe(const char *mode)
{
	struct probe probe;

	probe_run(&probe, mode);
	ck_assert_msg(probe.verdict == VG_SAFE, "%s", probe.why ? probe.why : "in a frame");
	probe_end(&probe);
}

/* Safe although the scan alone would say otherwise. */
static void assert_cleared(const char *mode, size_t thread)
{
	struct probe probe;

	probe_run(&probe, mode);
	ck_assert_uint_gt(probe_stack_hits(&probe, probe.tids[thread]), 0);
	ck_assert_msg(probe.verdict == VG_SAFE, "%s", probe.why ? probe.why : "in a frame");
	probe_end(&probe);
}

static void assert_undecided(const char *mode, const char *text)
{
	struct probe probe;

	probe_run(&probe, mode);
	ck_assert_int_eq(probe.verdict, VG_UNSAFE);
	ck_assert_ptr_nonnull(probe.why);
	ck_assert_msg(strstr(probe.why, text) != NULL, "%s", probe.why);
	probe_end(&probe);
}

START_TEST(an_idle_program_is_safe)
{
	assert_safe("idle");
	assert_safe("thread-idle");
}
END_TEST

START_TEST(a_thread_in_the_changed_function_is_unsafe_and_named)
{
	assert_unsafe_in_changed("busy");
	assert_unsafe_in_changed("thread-busy");
}
END_TEST

START_TEST(a_changed_function_deep_in_the_stack_is_found)
{
	assert_unsafe_in_changed("busy-deep");
	assert_unsafe_in_changed("busy-far");
}
END_TEST

START_TEST(a_call_that_ends_the_changed_function_counts_as_inside)
{
	assert_unsafe_in_changed("busy-at-its-end");
}
END_TEST

START_TEST(stale_return_addresses_in_a_live_frame_are_cleared_by_unwinding)
{
	assert_cleared("leftovers", 0);
	assert_cleared("thread-leftovers", 1);
}
END_TEST

START_TEST(a_frame_without_unwind_information_clears_nothing)
{
	assert_undecided("leftovers-without-cfi", "without unwind information");
	assert_undecided("busy-without-cfi", "without unwind information");
}
END_TEST

START_TEST(code_that_the_program_made_itself_clears_nothing_and_alone_is_no_obstacle)
{
	assert_undecided("busy-under-jit", "without unwind information");
	assert_undecided("leftovers-under-jit", "without unwind information");
	assert_safe("idle-under-jit");
}
END_TEST

START_TEST(a_signal_handler_above_the_changed_function_is_unsafe)
{
	assert_unsafe_in_changed("signal-over-changed");
	assert_unsafe_in_changed("signal-other-stack-over-changed");
}
END_TEST

START_TEST(a_signal_handler_on_a_third_stack_over_a_coroutine_in_the_changed_function_is_unsafe)
{
	assert_unsafe_in_changed("co-under-signal");
	assert_safe("co-under-signal-elsewhere");
}
END_TEST

START_TEST(a_changed_function_interrupted_by_a_signal_is_unsafe)
{
	assert_unsafe_in_changed("signal-in-changed");
	assert_unsafe_in_changed("signal-in-changed-same-stack");
}
END_TEST

START_TEST(leftovers_below_an_interrupted_frame_are_cleared_across_stacks)
{
	assert_safe("signal-other-stack-over-leftovers");
}
END_TEST

START_TEST(a_thread_that_is_gone_is_busy_and_no_verdict)
{
	struct probe probe;

	probe_start(&probe, "idle");
	probe_stop(&probe);

	struct user_regs_struct regs = probe_registers(probe.pid);
	kill(probe.pid, SIGKILL);
	ck_assert_int_eq(waitpid(probe.pid, NULL, __WALL), probe.pid);

	struct vg_error *error =
		vg_stacks_check_thread(probe.stacks, probe.pid, &regs, &probe.range, 1,
				       &probe.verdict, &probe.blocker, &probe.why);
	ck_assert_int_eq(vg_error_code(error), VG_BUSY);
	vg_error_free(error);
	vg_stacks_close(probe.stacks);
}
END_TEST

START_TEST(the_innermost_frame_at_the_first_byte_of_an_entry_is_safe)
{
	struct probe probe;

	probe_start(&probe, "idle");
	probe_stop(&probe);

	struct user_regs_struct regs = probe_registers(probe.pid);
	probe.range = (struct vg_code_range){regs.rip, regs.rip + 64, "here", .is_entry = true};
	regs.rcx = 0; /* the syscall instruction left the return address here */
	probe_ok(vg_stacks_check_thread(probe.stacks, probe.pid, &regs, &probe.range, 1,
					&probe.verdict, &probe.blocker, &probe.why));
	ck_assert_int_eq(probe.verdict, VG_SAFE);
	probe.range.is_entry = false;
	probe_ok(vg_stacks_check_thread(probe.stacks, probe.pid, &regs, &probe.range, 1,
					&probe.verdict, &probe.blocker, &probe.why));
	ck_assert_int_eq(probe.verdict, VG_UNSAFE);
	probe_end(&probe);
}
END_TEST

START_TEST(an_unaligned_stack_pointer_is_unsafe)
{
	struct probe probe;

	probe_start(&probe, "idle");
	probe_stop(&probe);

	struct user_regs_struct regs = probe_registers(probe.pid);
	regs.rsp += 4;
	probe_ok(vg_stacks_check_thread(probe.stacks, probe.pid, &regs, &probe.range, 1,
					&probe.verdict, &probe.blocker, &probe.why));
	ck_assert_int_eq(probe.verdict, VG_UNSAFE);
	ck_assert_ptr_nonnull(strstr(probe.why, "aligned"));
	probe_end(&probe);
}
END_TEST

START_TEST(a_backtrace_goes_from_the_system_call_to_the_start)
{
	struct probe probe;
	char **frames;
	size_t count;

	probe_start(&probe, "busy");
	probe_stop(&probe);

	struct user_regs_struct regs = probe_registers(probe.pid);
	probe_ok(vg_stacks_backtrace(probe.stacks, &regs, &frames, &count));
	ck_assert_uint_ge(count, 6); /* pause, wait_here, changed, busy, main, libc, _start */
	ck_assert_ptr_nonnull(strstr(frames[0], "libc"));
	ck_assert_ptr_nonnull(strstr(frames[count - 1], "stack_target"));
	for (size_t i = 0; i < count; i++)
		free(frames[i]);
	free(frames);
	probe_end(&probe);
}
END_TEST

START_TEST(a_blockers_backtrace_gets_the_names_of_functions)
{
	struct probe probe;

	probe_run(&probe, "busy");
	probe_resume(&probe);
	vg_stacks_name_blocker(probe.stacks, &probe.blocker);
	ck_assert_uint_gt(probe.blocker.backtrace_count, 4);
	ck_assert_int_eq(strncmp(probe.blocker.backtrace[0], "pause+0x", 8), 0);
	ck_assert_int_eq(strncmp(probe.blocker.backtrace[1], "wait_here+0x", 12), 0);
	ck_assert_int_eq(strncmp(probe.blocker.backtrace[2], "changed+0x", 10), 0);
	ck_assert_ptr_nonnull(strstr(probe.blocker.backtrace[2], "(stack_target)"));
	probe_end(&probe);
}
END_TEST

/* It has no .eh_frame_hdr: the index is made from the records. */
START_TEST(a_program_without_dynamic_linking_is_unwound_too)
{
	probe_program = "stack_static";
	assert_unsafe_in_changed("busy");
	assert_unsafe_in_changed("thread-busy");
	assert_unsafe_in_changed("signal-other-stack-over-changed");
	assert_cleared("leftovers", 0);
	assert_cleared("thread-leftovers", 1);
	assert_undecided("leftovers-without-cfi", "without unwind information");
}
END_TEST

START_TEST(a_changed_function_on_a_piece_in_the_middle_of_a_split_stack_is_found)
{
	probe_program = "stack_split";
	assert_unsafe_in_changed("busy");
	assert_safe("idle");
	assert_undecided("without-cfi", "without unwind information");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stack of threads");
	TCase *tcase = tcase_create("threads");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, an_idle_program_is_safe);
	tcase_add_test(tcase, a_thread_in_the_changed_function_is_unsafe_and_named);
	tcase_add_test(tcase, a_changed_function_deep_in_the_stack_is_found);
	tcase_add_test(tcase, a_call_that_ends_the_changed_function_counts_as_inside);
	tcase_add_test(tcase, stale_return_addresses_in_a_live_frame_are_cleared_by_unwinding);
	tcase_add_test(tcase, a_frame_without_unwind_information_clears_nothing);
	tcase_add_test(tcase,
		       code_that_the_program_made_itself_clears_nothing_and_alone_is_no_obstacle);
	tcase_add_test(tcase, a_signal_handler_above_the_changed_function_is_unsafe);
	tcase_add_test(
		tcase,
		a_signal_handler_on_a_third_stack_over_a_coroutine_in_the_changed_function_is_unsafe);
	tcase_add_test(tcase, a_changed_function_interrupted_by_a_signal_is_unsafe);
	tcase_add_test(tcase, leftovers_below_an_interrupted_frame_are_cleared_across_stacks);
	tcase_add_test(tcase, a_thread_that_is_gone_is_busy_and_no_verdict);
	tcase_add_test(tcase, the_innermost_frame_at_the_first_byte_of_an_entry_is_safe);
	tcase_add_test(tcase, an_unaligned_stack_pointer_is_unsafe);
	tcase_add_test(tcase, a_backtrace_goes_from_the_system_call_to_the_start);
	tcase_add_test(tcase, a_blockers_backtrace_gets_the_names_of_functions);
	tcase_add_test(tcase, a_program_without_dynamic_linking_is_unwound_too);
	tcase_add_test(tcase,
		       a_changed_function_on_a_piece_in_the_middle_of_a_split_stack_is_found);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
