/* SPDX-License-Identifier: MIT */
/*
 * A killed recovery leaves old or new, and the next verb recovers from that.
 *
 * Every state that a killed verb can leave: vgraft changes a target by two calls only, pwrite64 to
 * its memory and ptrace. At each of these one run of the verb is looked at; states are told apart
 * by all that recovery reads (tests/lib/journal.h). The verb is killed in each distinct state, and
 * the next one, which recovers from it, at its calls, from the one that opens the target to the one
 * at which there is nothing left to recover; a wait counts once, however often it looks. Beyond
 * that it is a verb as any other, which patcher_kill kills at every call. What a killed recovery
 * leaves that no killed verb leaves is one more state; from it the next verb is killed at all calls
 * that change the target.
 *
 * A kill mostly leaves the state that it found: the next one is made right there.
 *
 * Sampled; with VGRAFT_KILL_ALL in the environment at every call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/journal.h"
#include "tests/lib/kill_case.h"
#include "tests/lib/suite.h"

#define MAX_STATES 256
#define TRIES	   5 /* to kill a verb in one state */
#define SAMPLE	   151
#define NONE	   SIZE_MAX

struct state {
	char *text;
	/* Where it was seen first: in this verb, or in its recovery from another state (or NONE).
	 */
	const struct vg_kill_scenario *scenario;
	size_t parent;
	size_t next;	 /* point to kill the recovery at */
	unsigned points; /* it was killed at */
	unsigned tries;
	bool done;
};

struct sweep {
	struct vg_kill k;
	struct state states[MAX_STATES];
	size_t count;
};

/* What a run is looked at for. */
struct watch {
	struct sweep *sweep;
	size_t parent; /* state that the target was in before it */
	size_t wanted; /* state to kill it in, or NONE */
};

/* A point of a recovery. */
struct point {
	size_t left; /* points before it */
	bool only_changes;
	bool is_open; /* the target */
	long before;  /* number of the last call */
};

static bool can_change(const struct vg_killer_call *call)
{
	return call->number == SYS_pwrite64 || call->number == SYS_ptrace;
}

/* Made over and over until something has happened, or for each process of the host. */
static bool is_wait(long number)
{
	return number == SYS_waitid || number == SYS_rt_sigtimedwait || number == SYS_kcmp;
}

static bool is_point(void *context, const struct vg_killer_call *call, size_t nth)
{
	struct point *point = context;
	bool repeats = is_wait(call->number) && is_wait(point->before);

	(void)nth;
	point->before = call->number;
	point->is_open |= call->number == SYS_pidfd_open;
	if (!point->is_open || (point->only_changes ? !can_change(call) : repeats))
		return false;
	return !point->left--;
}

static size_t find_state(const struct sweep *sweep, const char *text)
{
	for (size_t i = 0; i < sweep->count; i++)
		if (strcmp(sweep->states[i].text, text) == 0)
			return i;
	return NONE;
}

/* Samples start at different calls. */
static size_t add_state(struct sweep *sweep, size_t parent, char *text)
{
	ck_assert_uint_lt(sweep->count, MAX_STATES);
	sweep->states[sweep->count] = (struct state){
		.text = text,
		.scenario = sweep->k.scenario,
		.parent = parent,
		.next = 17 * sweep->count % vg_kill_step(SAMPLE),
	};
	return sweep->count++;
}

/* The state that the target is in; NONE if there is nothing to recover. */
static size_t state_now(struct sweep *sweep, size_t parent)
{
	struct vg_journal journal;
	size_t state;

	vg_journal_read(sweep->k.c.pid, &journal);
	state = journal.settled ? NONE : find_state(sweep, journal.text);
	if (!journal.settled && state == NONE)
		state = add_state(sweep, parent, vg_take(journal.text));
	vg_journal_clear(&journal);
	return state;
}

static bool is_wanted(void *context, const struct vg_killer_call *call, size_t nth)
{
	const struct watch *watch = context;

	(void)nth;
	if (!can_change(call))
		return false;

	size_t now = state_now(watch->sweep, watch->parent);

	return now != NONE && now == watch->wanted;
}

/*
 * Runs the verb of the scenario on a target in state `parent`. Returns the state that the kill
 * left; NONE also if it came to its end.
 */
static size_t run_killed(struct sweep *sweep, size_t parent, vg_killer_choice *choice,
			 void *context)
{
	struct vg_killer killer;
	char what[160];

	vg_kill_run(&sweep->k, choice, context, &killer);
	snprintf(what, sizeof(what), "%s, from state %zd, killed at call %zu",
		 sweep->k.scenario->title, (ssize_t)parent, killer.count);

	bool killed = killer.killed;

	vg_killer_clear(&killer);
	vg_kill_expect_free(&sweep->k, what);
	vg_kill_expect_old_or_new(&sweep->k, what);
	return killed ? state_now(sweep, parent) : NONE;
}

/* Kills a verb, or the recovery from a state that is got to so, in the wanted state. */
static size_t leave(struct sweep *sweep, const struct vg_kill_scenario *scenario, size_t parent,
		    size_t wanted)
{
	struct watch watch = {sweep, parent, wanted};

	if (parent == NONE) {
		sweep->k.scenario = scenario;
		vg_kill_prepare(&sweep->k);
	} else {
		const struct state *from = &sweep->states[parent];

		if (leave(sweep, from->scenario, from->parent, parent) != parent)
			return NONE;
	}
	return run_killed(sweep, parent, is_wanted, &watch);
}

/* The target is in state `from`: the next kill of its recovery. Returns the state it leaves. */
static size_t kill_recovery(struct sweep *sweep, size_t from)
{
	struct state *state = &sweep->states[from];
	struct point point = {.left = state->next, .only_changes = state->parent != NONE};
	size_t now = run_killed(sweep, from, is_point, &point);

	state->done = now == NONE;
	state->points += !state->done;
	state->next += vg_kill_step(SAMPLE);
	state->tries = 0;
	return now;
}

/* A state that is not done and was not tried for too often. */
static size_t next_state(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->count; i++)
		if (!sweep->states[i].done && sweep->states[i].tries++ < TRIES)
			return i;
	return NONE;
}

/*
 * A kill within an injected call may leave another state than that it was made in, since the call
 * is finished: then that one gets its next points.
 */
static void sweep_states(struct sweep *sweep)
{
	size_t wanted;

	while ((wanted = next_state(sweep)) != NONE) {
		const struct state *state = &sweep->states[wanted];
		size_t now = leave(sweep, state->scenario, state->parent, wanted);

		while (now != NONE && !sweep->states[now].done)
			now = kill_recovery(sweep, now);
		vg_kill_expect_retry(&sweep->k, state->text);
	}
}

static void report(const struct sweep *sweep, const char *title)
{
	unsigned points = 0, unswept = 0;

	for (size_t i = 0; i < sweep->count; i++) {
		points += sweep->states[i].points;
		unswept += !sweep->states[i].done;
		printf("  %zu: %s: killed at %u points%s\n", i, sweep->states[i].text,
		       sweep->states[i].points, sweep->states[i].done ? "" : "; no kill leaves it");
	}
	printf("recovery of %s: %zu states, %u of them while vgraft lives only, killed at %u "
	       "points, 0 bad\n",
	       title, sweep->count, unswept, points);
	fflush(stdout);
}

/* Verbs on the same patch: what they leave has much in common. */
static const struct {
	const char *title;
	size_t count, scenarios[2];
} groups[] = {
	{"apply and revert of one function", 2, {VG_KILL_APPLY_ONE, VG_KILL_REVERT_ONE}},
	{"apply and revert in two modules", 2, {VG_KILL_APPLY_THREE, VG_KILL_REVERT_THREE}},
	{"replace", 1, {VG_KILL_REPLACE}},
};

START_TEST(a_killed_recovery_leaves_old_or_new_and_the_next_verb_recovers)
{
	static struct sweep sweep;

	vg_kill_start(&sweep.k, &vg_kill_scenarios[groups[_i].scenarios[0]]);
	for (size_t i = 0; i < groups[_i].count; i++) {
		leave(&sweep, &vg_kill_scenarios[groups[_i].scenarios[i]], NONE, NONE);
		vg_kill_expect_retry(&sweep.k, "a verb that is not killed");
	}
	ck_assert_uint_ge(sweep.count, 8);
	sweep_states(&sweep);
	report(&sweep, groups[_i].title);
	for (size_t i = 0; i < sweep.count; i++)
		free(sweep.states[i].text);
	vg_kill_end(&sweep.k);
}
END_TEST

/* A case for each group, so that CK_RUN_CASE can have them run side by side. */
int main(void)
{
	Suite *suite = suite_create("patcher_recovery");

	for (int i = 0; i < (int)(sizeof(groups) / sizeof(groups[0])); i++) {
		TCase *tcase = tcase_create(groups[i].title);

		tcase_set_timeout(tcase, 36000);
		tcase_add_loop_test(tcase,
				    a_killed_recovery_leaves_old_or_new_and_the_next_verb_recovers,
				    i, i + 1);
		suite_add_tcase(suite, tcase);
	}
	return vg_suite_run(suite);
}
