/* SPDX-License-Identifier: MIT */
/*
 * Old or new, never between: vgraft is killed at its system calls, one run for each. After each
 * kill the target must be alive and not stopped, answer entirely old or entirely new, have whole
 * signal masks and registers; and the next verb must recover and leave it as if nothing had
 * happened. Sampled; with VGRAFT_KILL_ALL in the environment at every call.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/kill_case.h"
#include "tests/lib/suite.h"

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
static void expect_stopped(const struct vg_kill *k, const char *what)
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
static bool kill_at_point(struct vg_kill *k, struct point point)
{
	const struct vg_kill_scenario *scenario = k->scenario;
	struct vg_killer killer;
	char what[160];

	vg_kill_run(k, is_point, &point, &killer);
	snprintf(what, sizeof(what), "%s killed at call %zu (%ld)", scenario->title, point.at,
		 killer.calls[killer.count - 1].number);
	bool killed = killer.killed;

	k->killed += killed;
	vg_killer_clear(&killer);
	if (killed && point.stopped)
		expect_stopped(k, what);
	vg_kill_expect_free(k, what);
	vg_kill_expect_old_or_new(k, what);
	vg_kill_expect_retry(k, what);
	return killed;
}

static bool kill_at(struct vg_kill *k, size_t at)
{
	return kill_at_point(k, (struct point){at, 0});
}

START_TEST(a_killed_verb_leaves_old_or_new_and_the_next_verb_recovers)
{
	struct vg_kill k;
	size_t call = 1;
	bool killed = true;

	vg_kill_start(&k, &vg_kill_scenarios[_i]);
	/* How many calls there are differs from run to run (retries): on until one gets to its end.
	 */
	for (; killed; call += vg_kill_step(7)) {
		vg_kill_prepare(&k);
		killed = kill_at(&k, call);
	}
	printf("%s: killed at %u points, 0 bad; left as before %u, done %u, interrupted %u\n",
	       k.scenario->title, k.killed, k.left[0], k.left[1], k.left[2]);
	fflush(stdout);
	ck_assert_uint_gt(k.left[2], 0);
	vg_kill_end(&k);
}
END_TEST

START_TEST(a_verb_killed_while_a_signal_stops_the_target_leaves_it_stopped_and_whole)
{
	struct point point = {.at = 1};
	struct vg_kill k;

	vg_kill_start(&k, &vg_kill_scenarios[_i]);
	point.stopped = k.c.pid;
	for (bool killed = true; killed; point.at += vg_kill_step(31)) {
		vg_kill_prepare(&k);
		killed = kill_at_point(&k, point);
	}
	printf("%s, target stopped by a signal: killed at %u points, 0 bad\n", k.scenario->title,
	       k.killed);
	fflush(stdout);
	ck_assert_uint_gt(k.killed, 0);
	vg_kill_end(&k);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_kill");
	TCase *verbs = tcase_create("verbs");

	tcase_set_timeout(verbs, 36000);
	tcase_add_loop_test(verbs, a_killed_verb_leaves_old_or_new_and_the_next_verb_recovers, 0,
			    VG_KILL_SCENARIOS);
	tcase_add_loop_test(
		verbs, a_verb_killed_while_a_signal_stops_the_target_leaves_it_stopped_and_whole,
		VG_KILL_APPLY_THREE, VG_KILL_APPLY_THREE + 1);
	tcase_add_loop_test(
		verbs, a_verb_killed_while_a_signal_stops_the_target_leaves_it_stopped_and_whole,
		VG_KILL_REVERT_THREE, VG_KILL_REVERT_THREE + 1);
	suite_add_tcase(suite, verbs);
	return vg_suite_run(suite);
}
