/* SPDX-License-Identifier: MIT */
/*
 * The worst moments: the target is killed at any system call of vgraft, has no memory left, threads
 * are born and die all the time while vgraft is killed, the disk is full.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/killer.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"
#include "tests/lib/written.h"

static const char *const few_threads[5] = {"1", "1", "1", "1", "1"};
static const struct vg_case_change both[] = {{"first", 2, VG_CASE_PROGRAM},
					     {"second", 3, VG_CASE_PROGRAM}};
static const struct vg_case_extra with_data = {.data = true};

/* The patch as a file, and what the command line needs. */
struct adverse {
	struct vg_case c;
	struct vg_patch *patch;
	char *vgraft;
	char file[64], pid[16];
};

static void start(struct adverse *a)
{
	int fd;

	*a = (struct adverse){.vgraft = vg_beside_test("../../vgraft"),
			      .file = "/tmp/vgraft-adverse-XXXXXX"};
	vg_case_start(&a->c, "patcher_target", few_threads);
	a->patch = vg_case_patch(&a->c, "fix", both, 2, &with_data);
	fd = mkstemp(a->file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, a->patch->bytes, a->patch->byte_count),
			 (ssize_t)a->patch->byte_count);
	close(fd);
	snprintf(a->pid, sizeof(a->pid), "%d", a->c.pid);
}

static void end(struct adverse *a)
{
	unlink(a->file);
	free(a->vgraft);
	vg_patch_free(a->patch);
	vg_case_end(&a->c);
}

static void run(struct adverse *a, const char *verb, vg_killer_choice *choice, void *context,
		struct vg_killer *killer)
{
	const char *argv[] = {a->vgraft, verb,	 *verb == 'a' ? a->file : "fix",
			      "--pid",	 a->pid, "--timeout",
			      "30",	 NULL};

	vg_killer_run(argv, choice, context, killer);
}

struct victim {
	pid_t pid;
	size_t at;
};

/* Kills the target, and never vgraft. */
static bool kill_target(void *context, const struct vg_killer_call *call, size_t nth)
{
	struct victim *victim = context;

	(void)call;
	if (nth == victim->at)
		kill(victim->pid, SIGKILL);
	return false;
}

/*
 * vgraft comes to an end, says that it did not work, and knows why. False: it was done before the
 * target died.
 */
static bool outlives_target(const char *verb, size_t at)
{
	struct vg_killer killer;
	struct adverse a;

	start(&a);
	if (*verb == 'r')
		vg_case_must_apply(&a.c, a.patch);

	struct victim victim = {.pid = a.c.pid, .at = at};

	run(&a, verb, kill_target, &victim, &killer);
	bool was_killed = killer.count >= at;

	ck_assert_msg(killer.code >= 0 && killer.code <= 4,
		      "%s, target killed at %zu: exit code %d", verb, at, killer.code);
	ck_assert_msg(was_killed || killer.code == 0, "%s: exit code %d: %s", verb, killer.code,
		      killer.messages);
	ck_assert_msg(killer.code == 0 || strlen(killer.messages) > 20,
		      "%s, target killed at %zu: no word about it", verb, at);
	vg_killer_clear(&killer);
	end(&a);
	return was_killed;
}

static const char *const verbs[] = {"apply", "revert"};

START_TEST(a_target_that_is_killed_at_any_moment_is_told)
{
	size_t step = getenv("VGRAFT_KILL_ALL") ? 1 : 23, at = 1;

	while (outlives_target(verbs[_i], at))
		at += step;
	printf("%s: the target was killed at %zu points\n", verbs[_i], at / step);
	fflush(stdout);
	ck_assert_uint_gt(at / step, 10);
}
END_TEST

static bool is_nth(void *context, const struct vg_killer_call *call, size_t nth)
{
	(void)call;
	return nth == *(size_t *)context;
}

static bool is_getfd(void *context, const struct vg_killer_call *call, size_t nth)
{
	(void)context;
	(void)nth;
	return call->number == SYS_pidfd_getfd;
}

/* Kills a revert between the two calls that a thread of the target makes for it. */
static void leave_descriptor(struct adverse *a)
{
	struct vg_killer killer;
	bool killed;

	vg_case_must_apply(&a->c, a->patch);
	run(a, "revert", is_getfd, NULL, &killer);
	killed = killer.killed;
	vg_killer_clear(&killer);
	if (!killed)
		vg_test_skip("the kernel does not keep track of written pages");
}

START_TEST(a_descriptor_that_a_killed_tool_left_is_closed_by_the_next_verb)
{
	struct vg_result result;
	struct adverse a;

	start(&a);
	for (int i = 0; i < 5; i++) {
		leave_descriptor(&a);
		ck_assert_uint_eq(vg_count_userfaultfds(a.c.pid), 1);
		vg_case_revert(&a.c, "fix", 30, VG_OUTCOME_REVERTED, &result);
		ck_assert(result.recovered);
		ck_assert_uint_eq(vg_count_userfaultfds(a.c.pid), 0);
		vg_result_clear(&result);
		vg_case_expect_answers(&a.c, 1, 1);
	}
	end(&a);
}
END_TEST

/* Nor is one closed while nobody can tell which of two is the tool's. */
START_TEST(a_descriptor_of_the_targets_own_is_left_alone)
{
	struct adverse a;

	start(&a);
	free(vg_case_ask(&a.c, 'u', "descriptor"));
	vg_case_must_apply(&a.c, a.patch);
	vg_case_must_revert(&a.c, "fix");
	ck_assert_uint_eq(vg_count_userfaultfds(a.c.pid), 1);
	end(&a);
	start(&a);
	leave_descriptor(&a);
	free(vg_case_ask(&a.c, 'u', "descriptor"));
	vg_case_must_revert(&a.c, "fix");
	ck_assert_uint_eq(vg_count_userfaultfds(a.c.pid), 2);
	end(&a);
}
END_TEST

/* Threads that are born while vgraft dies are not left traced or stopped, and what runs is whole.
 */
START_TEST(a_tool_that_is_killed_while_threads_come_and_go_leaves_old_or_new)
{
	size_t step = getenv("VGRAFT_KILL_ALL") ? 1 : 29;
	bool killed = true;
	struct adverse a;

	start(&a);
	free(vg_case_ask(&a.c, 's', "storm"));
	for (size_t at = 1; killed; at += step) {
		struct vg_killer killer;

		run(&a, at / step % 2 ? "revert" : "apply", is_nth, &at, &killer);
		killed = killer.killed;
		vg_killer_clear(&killer);
		_cleanup_free_ char *line = vg_case_ask(&a.c, 'a', "answers");

		ck_assert_msg(strcmp(line, "answers 1 1") == 0 || strcmp(line, "answers 2 3") == 0,
			      "killed at %zu: %s", at, line);
	}

	struct vg_patch_options wait = {.timeout = 30};
	struct vg_result result;

	ck_assert_ptr_null(vg_revert("fix", a.c.pid, &wait, &result));
	vg_result_clear(&result);
	vg_case_must_apply(&a.c, a.patch);
	vg_case_expect_answers(&a.c, 2, 3);
	vg_case_must_revert(&a.c, "fix");
	vg_case_expect_answers(&a.c, 1, 1);
	ck_assert_uint_eq(vg_case_counts(&a.c).mixed, 0);
	ck_assert_uint_eq(vg_case_counts(&a.c).damaged, 0);
	end(&a);
}
END_TEST

static rlim_t address_space(pid_t pid)
{
	char path[64];
	unsigned long pages = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	ck_assert(file && fscanf(file, "%lu", &pages) == 1);
	return pages * 4096;
}

static void limit(pid_t pid, rlim_t bytes)
{
	struct rlimit new = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};

	ck_assert_int_eq(prlimit(pid, RLIMIT_AS, &new, NULL), 0);
}

START_TEST(a_target_without_memory_stays_as_it_was)
{
	struct vg_patch_options options = {.timeout = 5};
	struct vg_case_picture before;
	struct vg_result result;
	struct adverse a;

	start(&a);
	vg_case_picture(&a.c, &before);
	limit(a.c.pid, address_space(a.c.pid));

	struct vg_error *error = vg_apply(a.patch, a.c.pid, &options, &result);

	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(result.outcome, VG_OUTCOME_FAILED);
	ck_assert_msg(strstr(result.reason, "could not map memory") != NULL, "%s", result.reason);
	vg_error_free(error);
	vg_result_clear(&result);
	vg_case_expect_answers(&a.c, 1, 1);
	vg_case_expect_picture(&a.c, &before);
	limit(a.c.pid, RLIM_INFINITY);
	vg_case_must_apply(&a.c, a.patch);
	/* Taking out needs none. */
	limit(a.c.pid, address_space(a.c.pid));
	vg_case_must_revert(&a.c, "fix");
	vg_case_expect_picture(&a.c, &before);
	vg_case_picture_clear(&before);
	end(&a);
}
END_TEST

static const struct vg_case_change in_two_modules[] = {{"first", 2, VG_CASE_PROGRAM},
						       {"second", 3, VG_CASE_PROGRAM},
						       {"third", 4, VG_CASE_LIBRARY}};

/* False, and nothing is left, while the target may not have so much memory. */
static bool goes_in_with(struct vg_case *c, const struct vg_patch *patch, rlim_t bytes,
			 const struct vg_case_picture *before)
{
	struct vg_patch_options options = {.timeout = 30};
	struct vg_result result;

	limit(c->pid, bytes);

	struct vg_error *error = vg_apply(patch, c->pid, &options, &result);
	bool applied = !error && result.outcome == VG_OUTCOME_APPLIED;

	if (!applied)
		ck_assert_msg(result.reason && strstr(result.reason, "could not map memory"), "%s",
			      result.reason);
	vg_error_free(error);
	vg_result_clear(&result);
	limit(c->pid, RLIM_INFINITY);
	if (!applied) {
		vg_case_expect_answers(c, 1, 1);
		vg_case_expect_picture(c, before);
	}
	return applied;
}

/* The memory of the first module can be had, that of the second can't. */
START_TEST(memory_that_runs_out_half_way_leaves_nothing_behind)
{
	struct vg_case_picture before;
	struct vg_case c;
	unsigned failed = 0;

	vg_case_start(&c, "patcher_target", few_threads);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", in_two_modules, 3, NULL);

	vg_case_picture(&c, &before);
	while (!goes_in_with(&c, patch, address_space(c.pid) + (rlim_t)failed * 4096, &before))
		failed++;
	/* An area has three pages at least. */
	ck_assert_uint_ge(failed, 6);
	vg_case_expect_answers(&c, 2, 3);
	vg_case_must_revert(&c, "fix");
	vg_case_expect_picture(&c, &before);
	vg_case_picture_clear(&before);
	vg_case_end(&c);
}
END_TEST

/* No write to any file of a disk succeeds (EFBIG), as when it is full. */
#define ON_A_FULL_DISK "sh -c 'trap \"\" XFSZ; ulimit -f 0; %s' 2>&1"

START_TEST(a_full_disk_stops_nothing)
{
	_cleanup_free_ char *command = NULL, *work = NULL;
	char output[4096];
	struct adverse a;

	start(&a);
	ck_assert_int_gt(asprintf(&work,
				  "%s apply %s --pid %s && %s status --pid %s && "
				  "%s revert fix --pid %s",
				  a.vgraft, a.file, a.pid, a.vgraft, a.pid, a.vgraft, a.pid),
			 0);
	ck_assert_int_gt(asprintf(&command, ON_A_FULL_DISK, work), 0);

	FILE *pipe = popen(command, "re");
	size_t count = pipe ? fread(output, 1, sizeof(output) - 1, pipe) : 0;

	ck_assert_ptr_nonnull(pipe);
	output[count] = '\0';
	ck_assert_msg(pclose(pipe) == 0, "%s", output);
	ck_assert_msg(strstr(output, "reverted") != NULL, "%s", output);
	vg_case_expect_answers(&a.c, 1, 1);
	end(&a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_adverse");
	TCase *tcase = tcase_create("adverse");

	tcase_set_timeout(tcase, 3600);
	tcase_add_loop_test(tcase, a_target_that_is_killed_at_any_moment_is_told, 0, 2);
	tcase_add_test(tcase, a_descriptor_that_a_killed_tool_left_is_closed_by_the_next_verb);
	tcase_add_test(tcase, a_descriptor_of_the_targets_own_is_left_alone);
	tcase_add_test(tcase, a_tool_that_is_killed_while_threads_come_and_go_leaves_old_or_new);
	tcase_add_test(tcase, a_target_without_memory_stays_as_it_was);
	tcase_add_test(tcase, memory_that_runs_out_half_way_leaves_nothing_behind);
	tcase_add_test(tcase, a_full_disk_stops_nothing);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
