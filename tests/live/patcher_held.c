/* SPDX-License-Identifier: MIT */
/*
 * Targets in which somebody does not stop, or in which an injected call is not to be made: busy or
 * refused by name, nobody else held for it, and the target as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vgraft/patcher.h>
#include <vgraft/rules.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/stop.h"
#include "patcher/target.h"
#include "patcher/task.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const struct vg_case_change both[] = {{"first", 2, false}, {"second", 3, false}};

static struct vg_patch *start(struct vg_case *c, const char *situation, const char *detail)
{
	vg_case_start(c, "patcher_held", (const char *const[5]){situation, detail, "", "", ""});
	return vg_case_patch(c, "fix", both, 2, NULL);
}

/* Applies; the outcome and words of the reason must be as said. */
static void expect_apply(struct vg_case *c, const struct vg_patch *patch, double timeout,
			 enum vg_outcome outcome, const char *says, struct vg_result *result)
{
	vg_case_apply(c, patch, timeout, outcome, result);
	ck_assert_msg(result->reason && strstr(result->reason, says), "%s", result->reason);
}

static int enter(struct vg_case *c)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'g', "inside");
	int tid = 0;

	return sscanf(line, "inside %d", &tid) == 1 ? tid : 0;
}

static void expect_still_patchable(struct vg_case *c, const struct vg_patch *patch)
{
	vg_case_expect_answers(c, 1, 1);
	vg_case_must_apply(c, patch);
	vg_case_expect_answers(c, 2, 3);
	vg_case_must_revert(c, "fix");
	vg_case_expect_answers(c, 1, 1);
}

static char state_of(const struct vg_case *c, pid_t tid)
{
	char path[64];
	struct vg_task task;

	snprintf(path, sizeof(path), "/proc/%d", c->pid);
	_cleanup_close_ int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert(vg_task_read(proc, tid, &task));
	return task.state;
}

START_TEST(a_thread_in_uninterruptible_sleep_makes_it_busy_by_name)
{
	struct vg_result result;
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "page", "");
	int tid = enter(&c);

	if (!tid)
		vg_test_skip("no userfaultfd here");
	while (state_of(&c, tid) != 'D')
		usleep(1000);
	/* On a busy host another thread may get no CPU in some attempts. */
	expect_apply(&c, patch, 2, VG_OUTCOME_BUSY, "does not stop, but waits uninterruptibly",
		     &result);
	ck_assert_uint_eq(result.blocker_count, 1);
	ck_assert_int_eq(result.blockers[0].tid, tid);
	ck_assert_str_eq(result.blockers[0].name, "patcher_held");
	ck_assert_ptr_nonnull(result.blockers[0].function);
	ck_assert_uint_gt(result.stops, 1);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 1, 1); /* the others were let go */
	free(vg_case_ask(&c, 'q', "outside"));
	expect_still_patchable(&c, patch);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_process_that_shares_the_memory_under_another_id_makes_it_busy)
{
	struct vg_result result;
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "share", "");
	int pid = enter(&c);

	expect_apply(&c, patch, 0, VG_OUTCOME_BUSY, "shares the memory of the target", &result);
	ck_assert_int_eq(result.blockers[0].tid, pid);
	vg_result_clear(&result);
	free(vg_case_ask(&c, 'q', "outside"));
	expect_still_patchable(&c, patch);
	vg_case_end(&c);
}
END_TEST

/* A cgroup of its own, and how it is frozen. */
struct freezer {
	const char *root, *file, *frozen, *thawed;
	char folder[128];
};

static bool write_file(const char *folder, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	return file && fputs(text, file) >= 0 && fflush(file) == 0;
}

static bool file_says(const char *folder, const char *name, const char *text)
{
	char path[256], line[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, text) == line)
			return true;
	return false;
}

static bool freezer_open(struct freezer *freezer, pid_t pid)
{
	char text[16];

	snprintf(freezer->folder, sizeof(freezer->folder), "%s/vgraft-test-%d", freezer->root,
		 (int)getpid());
	snprintf(text, sizeof(text), "%d", (int)pid);
	return mkdir(freezer->folder, 0755) == 0 &&
	       write_file(freezer->folder, "cgroup.procs", text);
}

/* The group can only be removed once the target has left it. */
static void freezer_close(const struct freezer *freezer)
{
	for (int i = 0; rmdir(freezer->folder) && errno == EBUSY && i < 1000; i++)
		usleep(1000);
}

static void check_frozen(struct freezer *freezer, const char *says_name, const char *says)
{
	struct vg_patch_options options = {.timeout = 0.3};
	struct vg_result result;
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "plain", "");

	if (!freezer_open(freezer, c.pid)) {
		rmdir(freezer->folder);
		vg_test_skip("no cgroup to freeze below %s", freezer->root);
	}
	ck_assert(write_file(freezer->folder, freezer->file, freezer->frozen));
	while (!file_says(freezer->folder, says_name, says))
		usleep(1000);
	/* Thawed before anything is judged: nobody could end what is frozen. */
	struct vg_error *error = vg_apply(patch, c.pid, &options, &result);
	bool stayed = file_says(freezer->folder, says_name, says);

	ck_assert(write_file(freezer->folder, freezer->file, freezer->thawed));
	ck_assert_msg(!error, "%s", vg_error_text(error));
	ck_assert_int_eq(result.outcome, VG_OUTCOME_BUSY);
	ck_assert_msg(strstr(result.reason, "frozen cgroup"), "%s", result.reason);
	ck_assert(stayed);
	vg_result_clear(&result);
	expect_still_patchable(&c, patch);
	vg_case_end(&c);
	freezer_close(freezer);
}

START_TEST(a_frozen_cgroup_makes_it_busy_by_name)
{
	struct freezer freezer = {.root = "/sys/fs/cgroup/freezer",
				  .file = "freezer.state",
				  .frozen = "FROZEN",
				  .thawed = "THAWED"};

	check_frozen(&freezer, "freezer.state", "FROZEN");
}
END_TEST

START_TEST(a_frozen_cgroup_of_version_2_makes_it_busy_by_name)
{
	struct freezer freezer = {
		.root = "/sys/fs/cgroup", .file = "cgroup.freeze", .frozen = "1", .thawed = "0"};

	if (access("/sys/fs/cgroup/unified", F_OK) == 0)
		freezer.root = "/sys/fs/cgroup/unified";
	check_frozen(&freezer, "cgroup.events", "frozen 1");
}
END_TEST

START_TEST(a_handler_on_an_alternate_stack_makes_the_calls_if_there_is_room)
{
	struct vg_result result;
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "alternate", "64");

	expect_still_patchable(&c, patch);
	vg_process_close_input(c.process);
	ck_assert_ptr_null(vg_process_wait_end(c.process));
	ck_assert_int_eq(vg_process_exit_code(c.process), 0);
	vg_case_end(&c);

	/* As many KiB as the kernel's frame and the handler need, and hardly more. */
	_cleanup_(vg_patch_cleanup) struct vg_patch *other = start(&c, "alternate", "12");

	expect_apply(&c, other, 0, VG_OUTCOME_BUSY, "too little stack left", &result);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 1, 1);
	vg_process_close_input(c.process);
	ck_assert_ptr_null(vg_process_wait_end(c.process));
	ck_assert_int_eq(vg_process_exit_code(c.process), 0);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_policy_that_no_memory_becomes_executable_is_kept_and_no_obstacle)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "policy", "");

	expect_still_patchable(&c, patch);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_filter_against_the_way_back_is_read_before_anything_is_injected)
{
	struct vg_result result;
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "sigreturn", "");

	expect_apply(&c, patch, 0, VG_OUTCOME_REFUSED, "rt_sigreturn with KILL_PROCESS", &result);
	ck_assert_str_eq(result.rule, VG_RULE_SECCOMP);
	vg_result_clear(&result);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

/* Runs in a child, which has a filter of its own and so may not read those of others. */
static int apply_filtered(const struct vg_patch *patch, pid_t pid)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {.len = 1, .filter = code};
	struct vg_patch_options options = {.timeout = 0};
	struct vg_result result;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ||
	    vg_apply(patch, pid, &options, &result))
		return 2;
	return result.outcome == VG_OUTCOME_REFUSED && result.rule &&
			       !strcmp(result.rule, VG_RULE_SECCOMP)
		       ? 0
		       : 3;
}

static void expect_child(int status)
{
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(filters_that_cannot_be_read_are_refused)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "filtered", "");
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(apply_filtered(patch, c.pid));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	expect_child(status);
	expect_still_patchable(&c, patch);
	vg_case_end(&c);
}
END_TEST

static int apply_unprivileged(const struct vg_patch *patch, pid_t pid)
{
	struct vg_patch_options options = {.timeout = 0};
	struct vg_result result;

	if (setgid(65534) || setuid(65534))
		return 2;

	struct vg_error *error = vg_apply(patch, pid, &options, &result);

	return error || result.outcome == VG_OUTCOME_REFUSED ? 0 : 3;
}

START_TEST(a_user_who_may_not_trace_the_target_does_nothing_to_it)
{
	struct vg_case c;
	int status;

	if (geteuid() != 0)
		vg_test_skip("cannot become another user");
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "plain", "");
	pid_t child = fork();

	if (child == 0)
		_exit(apply_unprivileged(patch, c.pid));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	expect_child(status);
	expect_still_patchable(&c, patch);
	vg_case_end(&c);
}
END_TEST

/* A process with the id of one that has ended; 0 if that can't be had here. */
static pid_t take_id(pid_t pid)
{
	struct clone_args arguments = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
	pid_t made = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (made == 0)
		for (;;)
			pause();
	return made < 0 ? 0 : made;
}

static struct vg_error *must_not_commit(void *context)
{
	*(bool *)context = true;
	return NULL;
}

START_TEST(a_process_with_a_reused_id_is_never_touched)
{
	struct vg_live_target target = VG_LIVE_TARGET_NONE;
	struct vg_sharing sharing;
	struct vg_stop_report report = {0};
	bool committed = false;
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "plain", "");

	ck_assert_ptr_null(vg_live_target_open(c.pid, &target));
	ck_assert_ptr_null(vg_sharing_open(c.pid, &sharing));
	pid_t pid = c.pid;

	vg_case_end(&c);
	if (take_id(pid) != pid)
		vg_test_skip("cannot choose the id of a process");

	struct vg_stop_request request = {.target = &target,
					  .sharing = &sharing,
					  .commit = must_not_commit,
					  .context = &committed};
	struct vg_error *error = vg_stop(&request, &report);

	ck_assert_ptr_nonnull(error);
	vg_error_free(error);
	ck_assert(!committed);
	ck_assert(!vg_live_target_is_alive(&target));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	vg_stop_report_clear(&report);
	vg_sharing_close(&sharing);
	vg_live_target_close(&target);
}
END_TEST

struct numbers {
	unsigned long interrupted, rounds, signals;
};

static struct numbers numbers(struct vg_case *c)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'n', "numbers");
	struct numbers now;

	ck_assert_int_eq(sscanf(line, "numbers interrupted %lu rounds %lu signals %lu",
				&now.interrupted, &now.rounds, &now.signals),
			 3);
	return now;
}

START_TEST(calls_that_wait_go_on_as_if_nothing_had_been)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "waits", "");
	struct numbers before = numbers(&c);

	for (int i = 0; i < 100; i++) {
		vg_case_must_apply(&c, patch);
		vg_case_must_revert(&c, "fix");
	}
	struct numbers after = numbers(&c);

	ck_assert_uint_eq(after.interrupted, 0);
	ck_assert_uint_gt(after.rounds, before.rounds);
	vg_case_end(&c);
}
END_TEST

START_TEST(a_thread_that_is_busy_for_ever_holds_nobody_between_two_stops)
{
	static const struct vg_case_change change = {"busy", 2, false};
	struct vg_result result;
	struct vg_case c;
	struct vg_patch *unused = start(&c, "spin", "");
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", &change, 1, NULL);

	vg_patch_free(unused);
	struct numbers before = numbers(&c);

	vg_case_apply(&c, patch, 1, VG_OUTCOME_BUSY, &result);

	struct numbers after = numbers(&c);

	ck_assert_str_eq(result.blockers[0].function, "busy");
	ck_assert_uint_gt(result.blockers[0].backtrace_count, 1);
	ck_assert_uint_gt(result.stops, 3);
	/* Between any two stops the others ran, each at least once. */
	ck_assert_uint_gt(after.rounds - before.rounds, 2UL * result.stops);
	vg_result_clear(&result);
	vg_case_end(&c);
}
END_TEST

/* The only child of a process; 0 if it has none. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	int child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	return file && fscanf(file, "%d", &child) == 1 ? child : 0;
}

/* Its program lies where only it can see it. */
static bool start_in_namespaces(struct vg_case *c)
{
	_cleanup_free_ char *command = NULL;
	int code;

	c->path = vg_beside_test("targets/patcher_held");
	ck_assert_int_gt(asprintf(&command,
				  "mount -t tmpfs none /mnt && cp '%s' /mnt/program && "
				  "exec /mnt/program plain",
				  c->path),
			 0);

	const char *const probe[] = {"unshare", "--mount",	   "--pid", "--fork",
				     "--user",	"--map-root-user", "true",  NULL};
	const char *const argv[] = {"unshare", "--mount",	  "--pid", "--fork", "--kill-child",
				    "--user",  "--map-root-user", "sh",	   "-c",     command,
				    NULL};

	if (vg_process_run(probe, &code, NULL) || code)
		return false;
	ck_assert_ptr_null(vg_process_start(argv, &c->process));
	ck_assert_ptr_null(
		vg_process_wait_text(c->process, &c->process->output, 0, "ready\n", NULL));
	c->pid = child_of(c->process->pid);
	return c->pid > 0;
}

START_TEST(a_target_in_namespaces_of_its_own_is_patched_like_any_other)
{
	struct vg_case c = {0};

	if (!start_in_namespaces(&c))
		vg_test_skip("no user, mount and PID namespaces here");
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	expect_still_patchable(&c, patch);
	vg_case_end(&c);
}
END_TEST

static bool pin(pid_t pid, size_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(pid, sizeof(set), &set) == 0;
}

/* Takes a processor from everybody else there for some 0.4 s; says when it has it. */
static void hog(size_t cpu, int tell)
{
	const struct sched_param priority = {.sched_priority = 1};
	struct timespec start, now;
	char has_it = pin(0, cpu) && !sched_setscheduler(0, SCHED_FIFO, &priority);

	if (write(tell, &has_it, 1) != 1 || !has_it)
		_exit(1);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < 400000000);
	_exit(0);
}

/*
 * The thread that is to make the calls does not stop in the time that it is given at first. It is
 * asked again, not taken for somebody else's because it is still traced by us.
 */
START_TEST(a_thread_that_gets_no_processor_for_a_while_is_asked_again)
{
	struct vg_case c;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = start(&c, "plain", "");
	int ends[2];
	char has_it = 0;

	ck_assert_int_eq(pipe(ends), 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || !pin(c.pid, 0) || !pin(0, 1))
		vg_test_skip("no second processor here");

	pid_t child = fork();

	if (!child)
		hog(0, ends[1]);
	ck_assert_int_eq(read(ends[0], &has_it, 1), 1);
	if (!has_it)
		vg_test_skip("no real-time priority here");
	vg_case_must_apply(&c, patch);
	waitpid(child, NULL, 0);
	vg_case_expect_answers(&c, 2, 3);
	vg_case_must_revert(&c, "fix");
	vg_case_end(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_held");
	TCase *tcase = tcase_create("held");

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, a_thread_in_uninterruptible_sleep_makes_it_busy_by_name);
	tcase_add_test(tcase, a_process_that_shares_the_memory_under_another_id_makes_it_busy);
	tcase_add_test(tcase, a_frozen_cgroup_makes_it_busy_by_name);
	tcase_add_test(tcase, a_frozen_cgroup_of_version_2_makes_it_busy_by_name);
	tcase_add_test(tcase, a_handler_on_an_alternate_stack_makes_the_calls_if_there_is_room);
	tcase_add_test(tcase, a_policy_that_no_memory_becomes_executable_is_kept_and_no_obstacle);
	tcase_add_test(tcase, a_filter_against_the_way_back_is_read_before_anything_is_injected);
	tcase_add_test(tcase, filters_that_cannot_be_read_are_refused);
	tcase_add_test(tcase, a_user_who_may_not_trace_the_target_does_nothing_to_it);
	tcase_add_test(tcase, a_process_with_a_reused_id_is_never_touched);
	tcase_add_test(tcase, a_target_in_namespaces_of_its_own_is_patched_like_any_other);
	tcase_add_test(tcase, calls_that_wait_go_on_as_if_nothing_had_been);
	tcase_add_test(tcase, a_thread_that_is_busy_for_ever_holds_nobody_between_two_stops);
	tcase_add_test(tcase, a_thread_that_gets_no_processor_for_a_while_is_asked_again);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
