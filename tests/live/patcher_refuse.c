/* SPDX-License-Identifier: MIT */
/* Targets that are not to be touched, or not now: refused or busy by name, and left as found. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vgraft/patcher.h>
#include <vgraft/rules.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/process_maps.h"
#include "patcher/target.h"
#include "tests/lib/killer.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const char *const few_threads[5] = {"1", "1", "1", "1", "0"};
static const struct vg_case_change both[] = {{"first", 2, VG_CASE_PROGRAM},
					     {"second", 3, VG_CASE_PROGRAM}};

/* Applies; the outcome and words of the reason must be as said. */
static void expect_apply(struct vg_case *c, const struct vg_patch *patch, enum vg_outcome outcome,
			 const char *says)
{
	struct vg_result result;

	vg_case_apply(c, patch, 0, outcome, &result);
	ck_assert_msg(result.reason && strstr(result.reason, says), "%s", result.reason);
	vg_result_clear(&result);
}

START_TEST(a_call_that_seccomp_would_answer_with_a_kill_is_never_made)
{
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	vg_case_must_apply(&c, patch);
	free(vg_case_ask(&c, 'm', "filtered"));
	vg_case_must_revert(&c, "fix"); /* munmap is allowed */
	vg_case_apply(&c, patch, 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_str_eq(result.rule, VG_RULE_SECCOMP);
	ck_assert_msg(strstr(result.reason, "mmap with KILL_PROCESS"), "%s", result.reason);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

START_TEST(suspending_seccomp_is_for_those_who_ask_for_it)
{
	struct vg_patch_options options = {.timeout = 30, .suspend_seccomp = true};
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	free(vg_case_ask(&c, 'm', "filtered"));
	ck_assert_ptr_null(vg_apply(patch, c.pid, &options, &result));
	ck_assert_msg(result.outcome == VG_OUTCOME_APPLIED, "%s", result.reason);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 2, 3);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_vfork_child_that_shares_the_memory_makes_it_busy)
{
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	free(vg_case_ask(&c, 'v', "vforked"));
	expect_apply(&c, patch, VG_OUTCOME_BUSY, "vfork");
	vg_case_expect_answers(&c, 1, 1);
	free(vg_case_ask(&c, 'w', "waited"));
	vg_case_must_apply(&c, patch);
	vg_case_expect_answers(&c, 2, 3);
	vg_case_end(&c);
}
END_TEST

static char state_of(pid_t pid)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
	return state;
}

START_TEST(a_stopped_process_is_refused_and_stays_stopped)
{
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	kill(c.pid, SIGSTOP);
	while (state_of(c.pid) != 'T')
		usleep(1000);
	expect_apply(&c, patch, VG_OUTCOME_REFUSED, "stopped by a signal");
	ck_assert_int_eq(state_of(c.pid), 'T');
	kill(c.pid, SIGCONT);
	vg_case_must_apply(&c, patch);
	vg_case_end(&c);
}
END_TEST

struct stopping {
	pid_t pid;
	size_t at; /* the call of the tool */
};

static bool stop_target(void *context, const struct vg_killer_call *call, size_t nth)
{
	const struct stopping *stopping = context;

	(void)call;
	if (nth == stopping->at)
		kill(stopping->pid, SIGSTOP);
	return false;
}

/* Stopped at one call of an apply or revert: done, or refused by name. False: it has fewer. */
static bool stop_at(struct vg_case *c, const char *verb, const char *subject,
		    struct stopping stopping)
{
	_cleanup_free_ char *vgraft = vg_beside_test("../../vgraft");
	char pid[16];
	const char *argv[] = {vgraft, verb, subject, "--pid", pid, "--timeout", "0", NULL};
	struct vg_killer killer;
	bool was_reached;

	snprintf(pid, sizeof(pid), "%d", c->pid);
	vg_killer_run(argv, stop_target, &stopping, &killer);
	was_reached = killer.count > stopping.at;
	ck_assert_msg(killer.code == 0 || killer.code == 3 || killer.code == 4, "%s: %s", verb,
		      killer.messages);
	ck_assert_msg(killer.code != 3 || strstr(killer.messages, "stopped by a signal"), "%s",
		      killer.messages);
	ck_assert_msg(!strstr(killer.messages, "can make a system call"), "%s", killer.messages);
	vg_killer_clear(&killer);
	for (int i = 0; was_reached && i < 5000 && state_of(c->pid) != 'T'; i++)
		usleep(1000);
	ck_assert(!was_reached || state_of(c->pid) == 'T');
	kill(c->pid, SIGCONT);
	return was_reached;
}

/* Whatever was left: in, and out again. */
static void take_turns(struct vg_case *c, const struct vg_patch *patch,
		       const struct vg_case_picture *before)
{
	struct vg_patch_options wait = {.timeout = 30};
	struct vg_result result;
	struct vg_error *error = vg_apply(patch, c->pid, &wait, &result);

	ck_assert_msg(!error && result.outcome <= VG_OUTCOME_ALREADY, "%s", result.reason);
	vg_result_clear(&result);
	vg_case_expect_answers(c, 2, 3);
	vg_case_must_revert(c, "fix");
	vg_case_expect_answers(c, 1, 1);
	vg_case_expect_settled(c, before);
}

START_TEST(a_process_that_is_stopped_while_vgraft_works_stays_stopped_and_whole)
{
	char file[] = "/tmp/vgraft-stopped-XXXXXX";
	struct vg_case_picture before;
	struct vg_case c;
	int fd = mkstemp(file);

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	ck_assert_int_eq(write(fd, patch->bytes, patch->byte_count), (ssize_t)patch->byte_count);
	close(fd);
	vg_case_picture(&c, &before);
	for (struct stopping at = {c.pid, 1}; stop_at(&c, "apply", file, at); at.at += 83)
		take_turns(&c, patch, &before);
	for (struct stopping at = {c.pid, 1}; stop_at(&c, "revert", "fix", at); at.at += 83) {
		take_turns(&c, patch, &before);
		vg_case_must_apply(&c, patch);
	}
	ck_assert_uint_eq(vg_case_counts(&c).damaged, 0);
	unlink(file);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_traced_process_is_refused_and_stays_traced)
{
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);
	pid_t debugger = fork();

	if (debugger == 0) {
		ptrace(PTRACE_SEIZE, c.pid, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(debugger, NULL, WUNTRACED);
	expect_apply(&c, patch, VG_OUTCOME_REFUSED, "is traced by process");
	kill(debugger, SIGKILL);
	waitpid(debugger, NULL, 0);
	vg_case_must_apply(&c, patch);
	vg_case_end(&c);
}
END_TEST

START_TEST(an_entry_across_two_pages_is_refused_by_name)
{
	static const struct vg_case_change change = {"across_pages", 2, false};
	struct vg_case c;

	vg_case_start(&c, "patcher_held", (const char *const[5]){"plain", "", "", "", ""});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", &change, 1, NULL);
	_cleanup_(vg_patch_cleanup) struct vg_patch *other =
		vg_case_patch(&c, "other", both, 2, NULL);

	expect_apply(&c, patch, VG_OUTCOME_REFUSED, "across_pages");
	expect_apply(&c, patch, VG_OUTCOME_REFUSED, "two pages");
	vg_case_must_apply(&c, other);
	vg_case_end(&c);
}
END_TEST

/* Where the names of others are not known. */
static void leave_network_namespace(const struct vg_live_target *target)
{
	const long pidfs = 0x50494446; /* PID_FS_MAGIC */
	struct statfs system;

	if (fstatfs(target->pidfd, &system) < 0 || system.f_type != pidfs)
		vg_test_skip("a pidfd can't be locked before Linux 6.9");
	if (unshare(CLONE_NEWNET))
		vg_test_skip("no network namespaces here");
}

START_TEST(two_tools_on_one_target_exclude_each_other)
{
	struct vg_live_target other = VG_LIVE_TARGET_NONE;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	ck_assert_ptr_null(vg_live_target_open(c.pid, &other));
	ck_assert_ptr_null(vg_live_target_lock(&other, 0));
	if (_i)
		leave_network_namespace(&other);
	expect_apply(&c, patch, VG_OUTCOME_BUSY, "another vgraft");
	vg_live_target_close(&other);
	vg_case_must_apply(&c, patch);
	vg_case_end(&c);
}
END_TEST

static void expect_open(pid_t pid, enum vg_code code, const char *says)
{
	struct vg_live_target target;
	_cleanup_(vg_error_cleanup) struct vg_error *error = vg_live_target_open(pid, &target);

	ck_assert_int_eq(vg_error_code(error), code);
	ck_assert_msg(strstr(vg_error_text(error), says), "%s", vg_error_text(error));
	vg_live_target_close(&target);
}

/* In a PID namespace of its own, process 2 is an ordinary one. */
static bool is_kernel_thread(pid_t pid)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	return file && fscanf(file, "%31s", name) == 1 && strcmp(name, "kthreadd") == 0;
}

START_TEST(what_is_no_target_is_refused_by_name)
{
	pid_t zombie = fork();

	if (zombie == 0)
		_exit(0);
	siginfo_t info;

	waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT);
	expect_open(zombie, VG_REFUSED, "zombie");
	waitpid(zombie, NULL, 0);
	expect_open(zombie, VG_USAGE, "no process");
	expect_open(getpid(), VG_REFUSED, "vgraft itself");
	if (is_kernel_thread(2))
		expect_open(2, VG_REFUSED, "kernel thread");
	expect_open(-1, VG_USAGE, "not a process id");
}
END_TEST

static bool is_mapped(pid_t pid, uint64_t address)
{
	struct vg_maps maps;

	ck_assert_ptr_null(vg_maps_read(pid, &maps));
	bool mapped = vg_maps_find(&maps, address) != NULL;

	vg_maps_clear(&maps);
	return mapped;
}

START_TEST(memory_that_a_killed_tool_left_without_a_header_is_given_back)
{
	struct vg_result result;
	unsigned long address;
	struct vg_case c;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);
	char *line = vg_case_ask(&c, 'p', "orphaned");

	ck_assert_int_eq(sscanf(line, "orphaned 0x%lx", &address), 1);
	free(line);
	vg_case_apply(&c, patch, 30, VG_OUTCOME_APPLIED, &result);
	ck_assert(result.recovered);
	vg_result_clear(&result);
	ck_assert(!is_mapped(c.pid, address));
	vg_case_end(&c);
}
END_TEST

struct storm {
	pid_t pid;
	volatile bool stop;
	unsigned delay; /* microseconds */
};

static void *send_signals(void *argument)
{
	struct storm *storm = argument;

	while (!storm->stop) {
		kill(storm->pid, SIGWINCH);
		usleep(100);
	}
	return NULL;
}

START_TEST(signals_at_a_high_rate_are_neither_lost_nor_in_the_way)
{
	struct storm storm = {0};
	struct vg_case c;
	pthread_t sender;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	storm.pid = c.pid;
	pthread_create(&sender, NULL, send_signals, &storm);
	for (int i = 0; i < 20; i++) {
		vg_case_must_apply(&c, patch);
		vg_case_must_revert(&c, "fix");
	}
	storm.stop = true;
	pthread_join(sender, NULL);
	ck_assert_uint_eq(vg_case_counts(&c).damaged, 0);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

static void *stop_and_continue(void *argument)
{
	struct storm *storm = argument;

	for (unsigned i = 0; !storm->stop; i++) {
		kill(storm->pid, SIGSTOP);
		usleep(50 + i % 7 * 100);
		kill(storm->pid, SIGCONT);
		usleep(300 + i % 5 * 400);
	}
	kill(storm->pid, SIGCONT);
	return NULL;
}

START_TEST(a_process_that_is_stopped_and_continued_all_the_time_stays_whole)
{
	struct vg_patch_options options = {.timeout = 0.05};
	struct storm storm = {0};
	struct vg_case c;
	pthread_t sender;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	storm.pid = c.pid;
	pthread_create(&sender, NULL, stop_and_continue, &storm);
	for (int i = 0; i < 100; i++) {
		struct vg_result result;
		struct vg_error *error = i % 2 ? vg_revert("fix", c.pid, &options, &result)
					       : vg_apply(patch, c.pid, &options, &result);

		ck_assert_msg(!error, "%s", vg_error_text(error));
		vg_result_clear(&result);
	}
	storm.stop = true;
	pthread_join(sender, NULL);
	ck_assert_uint_eq(vg_case_counts(&c).damaged, 0);
	struct vg_result result;

	ck_assert_ptr_null(
		vg_revert("fix", c.pid, &(struct vg_patch_options){.timeout = 30}, &result));
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

static void *kill_later(void *argument)
{
	struct storm *storm = argument;

	usleep(storm->delay);
	kill(storm->pid, SIGKILL);
	return NULL;
}

START_TEST(a_target_that_dies_meanwhile_is_an_error_and_no_hang)
{
	struct vg_patch_options options = {.timeout = 30};

	for (unsigned i = 0; i < 40; i++) {
		struct storm storm = {.delay = i * 150};
		struct vg_result result;
		struct vg_case c;
		pthread_t killer;

		vg_case_start(&c, "patcher_target", few_threads);
		_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
			vg_case_patch(&c, "fix", both, 2, NULL);

		storm.pid = c.pid;
		pthread_create(&killer, NULL, kill_later, &storm);
		vg_error_free(vg_apply(patch, c.pid, &options, &result));
		vg_result_clear(&result);
		vg_error_free(vg_revert("fix", c.pid, &options, &result));
		vg_result_clear(&result);
		pthread_join(killer, NULL);
		vg_case_end(&c);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_refuse");
	TCase *tcase = tcase_create("refuse");

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, a_call_that_seccomp_would_answer_with_a_kill_is_never_made);
	tcase_add_test(tcase, suspending_seccomp_is_for_those_who_ask_for_it);
	tcase_add_test(tcase, a_vfork_child_that_shares_the_memory_makes_it_busy);
	tcase_add_test(tcase, a_stopped_process_is_refused_and_stays_stopped);
	tcase_add_test(tcase, a_process_that_is_stopped_while_vgraft_works_stays_stopped_and_whole);
	tcase_add_test(tcase, a_traced_process_is_refused_and_stays_traced);
	tcase_add_test(tcase, an_entry_across_two_pages_is_refused_by_name);
	tcase_add_loop_test(tcase, two_tools_on_one_target_exclude_each_other, 0, 2);
	tcase_add_test(tcase, what_is_no_target_is_refused_by_name);
	tcase_add_test(tcase, memory_that_a_killed_tool_left_without_a_header_is_given_back);
	tcase_add_test(tcase, signals_at_a_high_rate_are_neither_lost_nor_in_the_way);
	tcase_add_test(tcase, a_process_that_is_stopped_and_continued_all_the_time_stays_whole);
	tcase_add_test(tcase, a_target_that_dies_meanwhile_is_an_error_and_no_hang);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
