/* SPDX-License-Identifier: MIT */
/*
 * Old or new, never between: vgraft is killed at its system calls, one run for each. After each
 * kill the target must be alive and not stopped, answer entirely old or entirely new, have whole
 * signal masks and registers; and the next verb must recover and leave it as if nothing had
 * happened. Sampled; with VGRAFT_KILL_ALL in the environment at every call.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/killer.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

static const char *const few_threads[5] = {"1", "1", "1", "1", "1"};

/* What the functions first, second and third (of the library) return. */
struct answers {
	int first, second, third;
};
static const struct answers original = {1, 1, 1};

/* A verb that is killed, on a patch named "fix". */
struct scenario {
	const char *title, *verb;
	const struct vg_case_change *changes;
	size_t change_count;
	struct vg_case_extra extra;
	/* A patch that is there before, and that `fix` replaces; or none. */
	const struct vg_case_change *older;
	size_t older_count;
	struct answers old, new;
};

static const struct vg_case_change one[] = {{"first", 2, VG_CASE_PROGRAM}};
static const struct vg_case_change three[] = {{"first", 2, VG_CASE_PROGRAM},
					      {"second", 3, VG_CASE_PROGRAM},
					      {"third", 4, VG_CASE_LIBRARY}};
static const struct vg_case_change older_three[] = {{"first", 5, VG_CASE_PROGRAM},
						    {"second", 6, VG_CASE_PROGRAM},
						    {"third", 7, VG_CASE_LIBRARY}};

enum { APPLY_ONE, APPLY_THREE, REVERT_ONE, REVERT_THREE, REPLACE, SCENARIOS };
static const struct scenario scenarios[SCENARIOS] = {
	[APPLY_ONE] = {"apply of one function", "apply", one, 1, .old = {1, 1, 1},
		       .new = {2, 1, 1}},
	[APPLY_THREE] = {"apply in two modules", "apply", three, 3, .old = {1, 1, 1},
			 .new = {2, 3, 4}},
	[REVERT_ONE] = {"revert of one function", "revert", one, 1, .old = {1, 1, 1},
			.new = {2, 1, 1}},
	[REVERT_THREE] = {"revert in two modules", "revert", three, 3, .old = {1, 1, 1},
			  .new = {2, 3, 4}},
	[REPLACE] = {"replace",
		     "apply",
		     one,
		     1,
		     {.replace = true},
		     older_three,
		     3,
		     {5, 6, 7},
		     {2, 1, 1}},
};

struct kill {
	const struct scenario *scenario;
	struct vg_case c;
	struct vg_case_picture picture; /* of the unpatched target */
	struct vg_patch *patch, *older;
	char *vgraft;
	char file[64];
	char pid[16];
	unsigned killed;  /* runs that got as far as their point */
	unsigned left[3]; /* what kills left: nothing or the older patch, applied, interrupted */
	unsigned interrupted; /* EINTRs so far: one kill during an injected call may cause one */
};

static void save_patch(struct kill *k)
{
	int fd;

	strcpy(k->file, "/tmp/vgraft-kill-XXXXXX");
	fd = mkstemp(k->file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, k->patch->bytes, k->patch->byte_count),
			 (ssize_t)k->patch->byte_count);
	close(fd);
}

static void start(struct kill *k, const struct scenario *scenario)
{
	*k = (struct kill){.scenario = scenario};
	k->vgraft = vg_beside_test("../../vgraft");
	vg_case_start(&k->c, "patcher_target", few_threads);
	k->patch = vg_case_patch(&k->c, "fix", scenario->changes, scenario->change_count,
				 &scenario->extra);
	if (scenario->older)
		k->older =
			vg_case_patch(&k->c, "older", scenario->older, scenario->older_count, NULL);
	save_patch(k);
	snprintf(k->pid, sizeof(k->pid), "%d", k->c.pid);
	vg_case_picture(&k->c, &k->picture);
}

static void end(struct kill *k)
{
	unlink(k->file);
	free(k->vgraft);
	vg_patch_free(k->patch);
	vg_patch_free(k->older);
	vg_case_picture_clear(&k->picture);
	vg_case_end(&k->c);
}

static void run(struct kill *k, const char *verb, vg_killer_choice *choice, void *context,
		struct vg_killer *killer)
{
	bool apply = strcmp(verb, "apply") == 0;
	const char *argv[] = {
		k->vgraft, verb, apply ? k->file : "fix", "--pid", k->pid, "--timeout", "30", NULL};

	vg_killer_run(argv, choice, context, killer);
}

/* A thread of the target that is stopped or traced after the tool's death. */
static bool is_held(pid_t pid)
{
	char path[64], line[256];
	bool held = false;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	_cleanup_closedir_ DIR *directory = opendir(path);

	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char status[400], state = 'R';
		int tracer = 0;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(status, sizeof(status), "%s/%s/status", path, entry->d_name);
		_cleanup_fclose_ FILE *file = fopen(status, "re");

		while (file && fgets(line, sizeof(line), file)) {
			sscanf(line, "State: %c", &state);
			sscanf(line, "TracerPid: %d", &tracer);
		}
		held |= tracer || state == 'T' || state == 't';
	}
	return held;
}

static void expect_free(const struct kill *k, const char *what)
{
	for (int i = 0; i < 2000 && is_held(k->c.pid); i++)
		usleep(1000);
	ck_assert_msg(!is_held(k->c.pid), "%s: the target is held", what);
}

static struct answers ask(struct kill *k)
{
	_cleanup_free_ char *two = vg_case_ask(&k->c, 'a', "answers");
	_cleanup_free_ char *third = vg_case_ask(&k->c, 't', "third");
	struct answers answers;

	ck_assert_int_eq(sscanf(two, "answers %d %d", &answers.first, &answers.second), 2);
	ck_assert_int_eq(sscanf(third, "third %d", &answers.third), 1);
	return answers;
}

static bool is_same(struct answers a, struct answers b)
{
	return a.first == b.first && a.second == b.second && a.third == b.third;
}

static void expect_answers(struct kill *k, struct answers expected, const char *what)
{
	struct answers got = ask(k);

	ck_assert_msg(is_same(got, expected), "%s: %d %d %d instead of %d %d %d", what, got.first,
		      got.second, got.third, expected.first, expected.second, expected.third);
}

/* Entirely old or entirely new. */
static void expect_consistent(struct kill *k, const char *what)
{
	struct answers got = ask(k);
	struct vg_case_counts counts = vg_case_counts(&k->c);

	ck_assert_msg(is_same(got, k->scenario->old) || is_same(got, k->scenario->new),
		      "%s: %d %d %d", what, got.first, got.second, got.third);
	ck_assert_msg(!counts.mixed && !counts.damaged, "%s: mixed %lu damaged %lu", what,
		      counts.mixed, counts.damaged);
	ck_assert_msg(counts.interrupted <= k->interrupted + 1, "%s: %lu calls interrupted", what,
		      counts.interrupted - k->interrupted);
	k->interrupted = (unsigned)counts.interrupted;
}

/*
 * Status tells the truth about what the kill left: what it calls applied runs. (What it calls
 * interrupted is either.)
 */
static void expect_truth(struct kill *k, const char *what)
{
	struct vg_status status;
	struct vg_error *error = vg_status_read(k->c.pid, &status);
	bool interrupted = false, fix = false, older = false;

	ck_assert_msg(!error, "status: %s", vg_error_text(error));
	for (size_t i = 0; i < status.count; i++) {
		interrupted |= status.applied[i].interrupted;
		if (status.applied[i].interrupted)
			continue;
		fix |= strcmp(status.applied[i].patch, "fix") == 0;
		older |= strcmp(status.applied[i].patch, "older") == 0;
	}
	vg_status_clear(&status);
	k->left[interrupted ? 2 : fix]++;
	ck_assert_msg(!(fix && older), "%s: both patches applied", what);
	if (fix || older || !interrupted)
		expect_answers(k, fix ? k->scenario->new : k->scenario->old, what);
}

/* The two states that the next verbs get the target to. */
static void expect_retry(struct kill *k, const char *what)
{
	struct vg_patch_options wait = {.timeout = 30};
	struct vg_result result;
	struct vg_error *error = vg_apply(k->patch, k->c.pid, &wait, &result);

	ck_assert_msg(!error && result.outcome <= VG_OUTCOME_ALREADY, "%s, then apply: %s", what,
		      result.reason ? result.reason : "");
	vg_result_clear(&result);
	expect_answers(k, k->scenario->new, what);
	vg_case_must_revert(&k->c, "fix");
	expect_answers(k, original, what);
	vg_case_expect_settled(&k->c, &k->picture);
}

static bool is_traced_or_running(pid_t pid)
{
	char path[64], line[256], state = 0;
	int tracer = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "TracerPid: %d", &tracer);
	}
	return tracer || state != 'T';
}

/* The tool is gone; what stopped the target before still does. Then it is let go on. */
static void expect_stopped(const struct kill *k, const char *what)
{
	for (int i = 0; i < 2000 && is_traced_or_running(k->c.pid); i++)
		usleep(1000);
	ck_assert_msg(!is_traced_or_running(k->c.pid), "%s: the target is not stopped", what);

	struct vg_patch_options once = {.timeout = 0};
	struct vg_result result;
	struct vg_error *error = vg_apply(k->patch, k->c.pid, &once, &result);

	ck_assert_msg(!error && result.outcome == VG_OUTCOME_REFUSED, "%s, then apply: %s", what,
		      result.reason ? result.reason : "");
	vg_result_clear(&result);
	ck_assert(!is_traced_or_running(k->c.pid));
	kill(k->c.pid, SIGCONT);
}

/* What must be there before the verb. */
static void prepare(struct kill *k)
{
	if (k->older)
		vg_case_must_apply(&k->c, k->older);
	if (strcmp(k->scenario->verb, "revert") == 0)
		vg_case_must_apply(&k->c, k->patch);
}

struct point {
	size_t at;
	pid_t stopped; /* by a signal, just before the kill; or 0 */
};

static bool is_point(void *context, const struct vg_killer_call *call, size_t nth)
{
	const struct point *point = context;

	(void)call;
	if (nth == point->at && point->stopped)
		kill(point->stopped, SIGSTOP);
	return nth == point->at;
}

/* One kill of the verb, and the next verbs. False: it came to its end before. */
static bool kill_at_point(struct kill *k, struct point point)
{
	const struct scenario *scenario = k->scenario;
	struct vg_killer killer;
	char what[160];

	run(k, scenario->verb, is_point, &point, &killer);
	snprintf(what, sizeof(what), "%s killed at call %zu (%ld)", scenario->title, point.at,
		 killer.calls[killer.count - 1].number);
	bool killed = killer.killed;

	ck_assert_msg(killed || killer.code == 0, "exit code %d: %s", killer.code, killer.messages);
	k->killed += killed;
	vg_killer_clear(&killer);
	if (killed && point.stopped)
		expect_stopped(k, what);
	expect_free(k, what);
	expect_consistent(k, what);
	expect_truth(k, what);
	expect_retry(k, what);
	return killed;
}

static bool kill_at(struct kill *k, size_t at)
{
	return kill_at_point(k, (struct point){at, 0});
}

static size_t step(size_t sample)
{
	return getenv("VGRAFT_KILL_ALL") ? 1 : sample;
}

START_TEST(a_killed_verb_leaves_old_or_new_and_the_next_verb_recovers)
{
	struct kill k;
	size_t call = 1;
	bool killed = true;

	start(&k, &scenarios[_i]);
	/* How many calls there are differs from run to run (retries): on until one gets to its end.
	 */
	for (; killed; call += step(7)) {
		prepare(&k);
		killed = kill_at(&k, call);
	}
	printf("%s: killed at %u points, 0 bad; left as before %u, done %u, interrupted %u\n",
	       k.scenario->title, k.killed, k.left[0], k.left[1], k.left[2]);
	fflush(stdout);
	ck_assert_uint_gt(k.left[2], 0);
	end(&k);
}
END_TEST

START_TEST(a_verb_killed_while_a_signal_stops_the_target_leaves_it_stopped_and_whole)
{
	struct point point = {.at = 1};
	struct kill k;

	start(&k, &scenarios[_i]);
	point.stopped = k.c.pid;
	for (bool killed = true; killed; point.at += step(31)) {
		prepare(&k);
		killed = kill_at_point(&k, point);
	}
	printf("%s, target stopped by a signal: killed at %u points, 0 bad\n", k.scenario->title,
	       k.killed);
	fflush(stdout);
	ck_assert_uint_gt(k.killed, 0);
	end(&k);
}
END_TEST

/*
 * The stores of the stop, in the order of the journal: ARMING, entries, switch word, slots,
 * APPLIED. The first thread that vgraft makes maps the areas; those after it stop the target, and
 * only the one that succeeds writes. Counts `*context` down.
 */
static bool is_store_of_stop(void *context, const struct vg_killer_call *call, size_t nth)
{
	unsigned *left = context;

	(void)nth;
	return call->thread >= 2 && call->number == SYS_pwrite64 && !(*left)--;
}

/* Interrupts an apply at one of these stores. False: it has fewer. */
static bool interrupt_at_store(struct kill *k, unsigned store)
{
	struct vg_killer killer;
	unsigned left = store;

	prepare(k);
	run(k, "apply", is_store_of_stop, &left, &killer);

	bool killed = killer.killed;

	ck_assert_msg(killed || killer.code == 0, "exit code %d: %s", killer.code, killer.messages);
	vg_killer_clear(&killer);
	expect_free(k, "apply killed in the stop");
	if (!killed)
		expect_retry(k, "apply");
	return killed;
}

/* The recovery from each of these stores is killed at its calls. */
START_TEST(a_killed_recovery_leaves_old_or_new_and_the_next_verb_recovers)
{
	unsigned store = 0;
	struct kill k;

	start(&k, &scenarios[_i]);
	while (interrupt_at_store(&k, store)) {
		size_t call = 1 + 5 * store;

		while (kill_at(&k, call)) {
			call += step(101);
			interrupt_at_store(&k, store);
		}
		store++;
		printf("recovery of %s: interrupted at %u stores, killed at %u points, 0 bad\n",
		       k.scenario->title, store, k.killed);
		fflush(stdout);
	}
	ck_assert_uint_ge(store, 5);
	end(&k);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_kill");
	TCase *verbs = tcase_create("verbs"), *recovery = tcase_create("recovery");

	tcase_set_timeout(verbs, 36000);
	tcase_set_timeout(recovery, 36000);
	tcase_add_loop_test(verbs, a_killed_verb_leaves_old_or_new_and_the_next_verb_recovers, 0,
			    SCENARIOS);
	tcase_add_loop_test(
		verbs, a_verb_killed_while_a_signal_stops_the_target_leaves_it_stopped_and_whole,
		APPLY_THREE, APPLY_THREE + 1);
	tcase_add_loop_test(
		verbs, a_verb_killed_while_a_signal_stops_the_target_leaves_it_stopped_and_whole,
		REVERT_THREE, REVERT_THREE + 1);
	tcase_add_loop_test(recovery,
			    a_killed_recovery_leaves_old_or_new_and_the_next_verb_recovers,
			    APPLY_THREE, APPLY_THREE + 1);
	tcase_add_loop_test(recovery,
			    a_killed_recovery_leaves_old_or_new_and_the_next_verb_recovers, REPLACE,
			    REPLACE + 1);
	suite_add_tcase(suite, verbs);
	suite_add_tcase(suite, recovery);
	return vg_suite_run(suite);
}
