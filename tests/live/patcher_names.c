/* SPDX-License-Identifier: MIT */
/* Debuggers and profilers know patched functions by name, and nobody is led astray by that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/text_file.h"
#include "tests/lib/killer.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"
#include "tests/lib/unwound.h"

struct target {
	struct vg_process *process;
	char map[64]; /* path of perf's map */
};

static struct target start(void)
{
	struct target target = {.process = vg_unwound_start()};

	snprintf(target.map, sizeof(target.map), "/tmp/perf-%d.map", target.process->pid);
	unlink(target.map);
	return target;
}

static void end(struct target *target)
{
	vg_process_free(target->process);
}

/* The whole map, or NULL if there is none. */
static char *read_map(const struct target *target)
{
	char *text = NULL;

	if (access(target->map, F_OK) == 0)
		ck_assert_ptr_null(vg_text_file_read(target->map, &text, NULL));
	return text;
}

static void expect_line(const struct target *target, const char *name, bool there)
{
	_cleanup_free_ char *text = read_map(target);
	_cleanup_free_ char *line = NULL;

	ck_assert_int_gt(asprintf(&line, " %s\n", name), 0);
	ck_assert_msg((text && strstr(text, line)) == there, "%s in the map:\n%s", name,
		      text ?: "(none)");
}

START_TEST(perfs_map_names_what_is_applied_and_goes_with_it)
{
	_cleanup_(end) struct target target = start();
	struct stat status;

	vg_unwound_vgraft_says(target.process, "apply outer.vgp", "\"applied\"");
	vg_unwound_vgraft_says(target.process, "apply inner.vgp", "\"applied\"");
	expect_line(&target, "outer@vgraft:outer", true);
	expect_line(&target, "outer.entry@vgraft:outer", true);
	expect_line(&target, "inner@vgraft:inner", true);
	ck_assert_int_eq(stat(target.map, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0644);
	ck_assert_uint_eq(status.st_uid, geteuid());
	vg_unwound_vgraft_says(target.process, "revert outer", "\"reverted\"");
	expect_line(&target, "outer@vgraft:outer", false);
	expect_line(&target, "inner@vgraft:inner", true);
	vg_unwound_vgraft_says(target.process, "revert inner", "\"reverted\"");
	ck_assert_int_ne(access(target.map, F_OK), 0);
}
END_TEST

/* A target with its own /tmp and process ids finds the map where its own tools would look. */
START_TEST(perfs_map_lies_in_the_targets_own_namespaces)
{
	const char *const argv[] = {
		"unshare",
		"--mount",
		"--pid",
		"--fork",
		"--kill-child",
		"sh",
		"-c",
		"exec 3<./program && mount -t tmpfs none /tmp && exec /proc/self/fd/3",
		NULL};
	_cleanup_process_ struct vg_process *outer = NULL;
	_cleanup_free_ char *text = NULL;
	struct vg_process inner;

	if (vg_project_output(&text, "unshare --mount --pid --fork true 2>&1"))
		vg_test_skip("no namespaces: %s", text);
	free(text);
	ck_assert_ptr_null(vg_process_start(argv, &outer));
	ck_assert_ptr_null(vg_process_wait_text(outer, &outer->output, 0, "ready\n", NULL));
	vg_project_output(&text, "pgrep -P %d", outer->pid);
	inner = (struct vg_process){.pid = atoi(text)};
	vg_unwound_vgraft_says(&inner, "apply outer.vgp", "\"applied\"");
	vg_project_shell("grep -q 'outer@vgraft:outer' /proc/%d/root/tmp/perf-1.map", inner.pid);
	vg_project_shell("test ! -e /tmp/perf-%d.map", inner.pid);
	vg_unwound_vgraft_says(&inner, "revert outer", "\"reverted\"");
	vg_project_shell("test ! -e /proc/%d/root/tmp/perf-1.map", inner.pid);
}
END_TEST

START_TEST(the_lines_of_a_jit_compiler_stay_where_they_are)
{
	static const char first[] = "1000 10 jitted\n", second[] = "2000 10 later\n";
	_cleanup_(end) struct target target = start();
	FILE *file = fopen(target.map, "ae");

	ck_assert_ptr_nonnull(file);
	setbuf(file, NULL);
	fputs(first, file);
	vg_unwound_vgraft_says(target.process, "apply outer.vgp", "\"applied\"");
	fputs(second, file);
	fclose(file);
	expect_line(&target, "outer@vgraft:outer", true);
	vg_unwound_vgraft_says(target.process, "revert outer", "\"reverted\"");
	expect_line(&target, "outer@vgraft:outer", false);
	expect_line(&target, "jitted", true);
	expect_line(&target, "later", true);
}
END_TEST

static void make_link(const struct target *target, const char *how)
{
	vg_project_write("precious", "do not touch\n");
	vg_project_shell("rm -f /tmp/vgraft-names-%d && cp precious /tmp/vgraft-names-%d && "
			 "ln %s /tmp/vgraft-names-%d %s",
			 target->process->pid, target->process->pid, how, target->process->pid,
			 target->map);
}

static const char *const links[] = {"-s", ""};

START_TEST(a_link_in_place_of_the_map_is_not_followed)
{
	_cleanup_(end) struct target target = start();

	make_link(&target, links[_i]);
	vg_unwound_vgraft_says(target.process, "apply outer.vgp", "\"applied\"");
	vg_unwound_vgraft_says(target.process, "apply inner.vgp", "/tmp/perf-");
	vg_project_shell("cmp precious /tmp/vgraft-names-%d && rm /tmp/vgraft-names-%d",
			 target.process->pid, target.process->pid);
}
END_TEST

static bool is_call(void *context, const struct vg_killer_call *call, size_t nth)
{
	(void)nth;
	return call->number == *(const long *)context;
}

/* `number`: the system call that makes or removes the map. */
static void kill_at(const struct target *target, const char *verb, const char *what, long number)
{
	struct vg_killer killer;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", target->process->pid);

	const char *argv[] = {vg_unwound_vgraft(), verb, what, "--pid", pid, NULL};

	vg_killer_run(argv, is_call, &number, &killer);
	ck_assert_msg(killer.killed, "%s made no call %ld", verb, number);
	vg_killer_clear(&killer);
}

START_TEST(a_map_that_a_killed_tool_left_behind_is_mended_by_the_next_verb)
{
	_cleanup_(end) struct target target = start();

	kill_at(&target, "apply", "outer.vgp", SYS_linkat);
	ck_assert_int_ne(access(target.map, F_OK), 0);
	vg_unwound_vgraft_says(target.process, "apply outer.vgp", "\"already\"");
	expect_line(&target, "outer@vgraft:outer", true);
	kill_at(&target, "revert", "outer", SYS_unlinkat);
	expect_line(&target, "outer@vgraft:outer", true);
	vg_unwound_vgraft_says(target.process, "revert outer", "\"already\"");
	ck_assert_int_ne(access(target.map, F_OK), 0);
}
END_TEST

/* Records for a second; a loaded host may not have let the target run. */
static bool is_seen_by_perf(const struct target *target, const char *name)
{
	_cleanup_free_ char *text = NULL;

	vg_project_shell("perf record -e cpu-clock -p %d -o perf.data -- sleep 1 >said 2>&1",
			 target->process->pid);
	vg_project_output(&text, "perf report -i perf.data --stdio 2>/dev/null");
	return strstr(text, name);
}

START_TEST(a_profiler_shows_a_patched_function_by_name)
{
	_cleanup_(end) struct target target = start();
	_cleanup_free_ char *text = NULL;
	bool seen = false;

	if (vg_project_output(&text, "perf record -e cpu-clock -o try.data true 2>&1"))
		vg_test_skip("perf cannot record here");
	vg_unwound_vgraft_says(target.process, "apply outer.vgp", "\"applied\"");
	/* Loops until it is killed. */
	for (int i = 0; i < 500; i++)
		ck_assert_ptr_null(vg_process_send(target.process, "l"));
	for (int i = 0; i < 30 && !seen; i++)
		seen = is_seen_by_perf(&target, "outer@vgraft:outer");
	ck_assert(seen);
}
END_TEST

static bool is_above(const char *text, const char *inner, const char *outer)
{
	const char *at = strstr(text, inner);

	return at && strstr(at, outer);
}

START_TEST(a_debugger_shows_patched_functions_and_their_callers)
{
	_cleanup_(end) struct target target = start();
	_cleanup_free_ char *text = NULL;

	vg_unwound_vgraft_says(target.process, "apply outer.vgp", "\"applied\"");
	vg_unwound_vgraft_says(target.process, "apply inner.vgp", "\"applied\"");
	vg_unwound_expect(target.process, 'w', "waiting", 1);
	vg_unwound_vgraft_says(target.process, "status --symbols patches.elf", "\"applied\"");
	vg_project_output(&text,
			  "timeout 100 gdb -batch -nx -p %d -ex 'set debuginfod enabled off' "
			  "-ex 'add-symbol-file patches.elf' -ex 'thread apply all backtrace' "
			  "-ex 'info breakpoints' -ex 'break outer' 2>&1",
			  target.process->pid);
	ck_assert_msg(is_above(text, " in inner ()", " in outer ()") &&
			      is_above(text, " in outer ()", " in call ") &&
			      is_above(text, " in call ", " in waiting_thread "),
		      "%s", text);
	ck_assert_msg(strstr(text, "2 locations"), "%s", text);
	vg_unwound_expect(target.process, 'w', "waiting", 0);
}
END_TEST

START_TEST(symbols_of_several_processes_do_not_go_into_one_file)
{
	_cleanup_free_ char *text = NULL;

	ck_assert_int_eq(
		vg_project_output(&text, "%s status --symbols x.elf 2>&1", vg_unwound_vgraft()), 2);
	ck_assert_msg(strstr(text, "one --pid"), "%s", text);
	ck_assert_int_ne(access("x.elf", F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_names");
	TCase *tcase = tcase_create("names");

	vg_unwound_find();
	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, vg_unwound_set_up, vg_project_leave);
	tcase_add_test(tcase, perfs_map_names_what_is_applied_and_goes_with_it);
	tcase_add_test(tcase, perfs_map_lies_in_the_targets_own_namespaces);
	tcase_add_test(tcase, the_lines_of_a_jit_compiler_stay_where_they_are);
	tcase_add_loop_test(tcase, a_link_in_place_of_the_map_is_not_followed, 0, 2);
	tcase_add_test(tcase, a_map_that_a_killed_tool_left_behind_is_mended_by_the_next_verb);
	tcase_add_test(tcase, a_profiler_shows_a_patched_function_by_name);
	tcase_add_test(tcase, a_debugger_shows_patched_functions_and_their_callers);
	tcase_add_test(tcase, symbols_of_several_processes_do_not_go_into_one_file);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
