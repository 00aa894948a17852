/* SPDX-License-Identifier: MIT */
#include "tests/lib/kill_case.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "tests/lib/suite.h"

static const char *const few_threads[5] = {"1", "1", "1", "1", "1"};

static const struct vg_kill_answers original = {1, 1, 1};

static const struct vg_case_change one[] = {{"first", 2, VG_CASE_PROGRAM}};
static const struct vg_case_change three[] = {{"first", 2, VG_CASE_PROGRAM},
					      {"second", 3, VG_CASE_PROGRAM},
					      {"third", 4, VG_CASE_LIBRARY}};
static const struct vg_case_change older_three[] = {{"first", 5, VG_CASE_PROGRAM},
						    {"second", 6, VG_CASE_PROGRAM},
						    {"third", 7, VG_CASE_LIBRARY}};

const struct vg_kill_scenario vg_kill_scenarios[VG_KILL_SCENARIOS] = {
	[VG_KILL_APPLY_ONE] = {"apply of one function", "apply", one, 1, .old = {1, 1, 1},
			       .new = {2, 1, 1}},
	[VG_KILL_APPLY_THREE] = {"apply in two modules", "apply", three, 3, .old = {1, 1, 1},
				 .new = {2, 3, 4}},
	[VG_KILL_REVERT_ONE] = {"revert of one function", "revert", one, 1, .old = {1, 1, 1},
				.new = {2, 1, 1}},
	[VG_KILL_REVERT_THREE] = {"revert in two modules", "revert", three, 3, .old = {1, 1, 1},
				  .new = {2, 3, 4}},
	[VG_KILL_REPLACE] = {"replace",
			     "apply",
			     one,
			     1,
			     {.replace = true},
			     older_three,
			     3,
			     {5, 6, 7},
			     {2, 1, 1}},
};

static void save_patch(struct vg_kill *k)
{
	int fd;

	strcpy(k->file, "/tmp/vgraft-kill-XXXXXX");
	fd = mkstemp(k->file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, k->patch->bytes, k->patch->byte_count),
			 (ssize_t)k->patch->byte_count);
	close(fd);
}

void vg_kill_start(struct vg_kill *k, const struct vg_kill_scenario *scenario)
{
	*k = (struct vg_kill){.scenario = scenario};
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

void vg_kill_end(struct vg_kill *k)
{
	unlink(k->file);
	free(k->vgraft);
	vg_patch_free(k->patch);
	vg_patch_free(k->older);
	vg_case_picture_clear(&k->picture);
	vg_case_end(&k->c);
}

void vg_kill_run(struct vg_kill *k, vg_killer_choice *choice, void *context,
		 struct vg_killer *killer)
{
	const char *verb = k->scenario->verb;
	const char *subject = strcmp(verb, "apply") == 0 ? k->file : "fix";
	const char *argv[] = {k->vgraft, verb, subject, "--pid", k->pid, "--timeout", "30", NULL};

	vg_killer_run(argv, choice, context, killer);
	ck_assert_msg(killer->killed || killer->code == 0, "exit code %d: %s", killer->code,
		      killer->messages);
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

void vg_kill_expect_free(const struct vg_kill *k, const char *what)
{
	for (int i = 0; i < 2000 && is_held(k->c.pid); i++)
		usleep(1000);
	ck_assert_msg(!is_held(k->c.pid), "%s: the target is held", what);
}

static struct vg_kill_answers ask(struct vg_kill *k)
{
	_cleanup_free_ char *two = vg_case_ask(&k->c, 'a', "answers");
	_cleanup_free_ char *third = vg_case_ask(&k->c, 't', "third");
	struct vg_kill_answers answers;

	ck_assert_int_eq(sscanf(two, "answers %d %d", &answers.first, &answers.second), 2);
	ck_assert_int_eq(sscanf(third, "third %d", &answers.third), 1);
	return answers;
}

static bool is_same(struct vg_kill_answers a, struct vg_kill_answers b)
{
	return a.first == b.first && a.second == b.second && a.third == b.third;
}

static void expect_answers(struct vg_kill *k, struct vg_kill_answers expected, const char *what)
{
	struct vg_kill_answers got = ask(k);

	ck_assert_msg(is_same(got, expected), "%s: %d %d %d instead of %d %d %d", what, got.first,
		      got.second, got.third, expected.first, expected.second, expected.third);
}

/* Entirely old or entirely new. */
static void expect_consistent(struct vg_kill *k, const char *what)
{
	struct vg_kill_answers got = ask(k);
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
static void expect_truth(struct vg_kill *k, const char *what)
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

void vg_kill_expect_old_or_new(struct vg_kill *k, const char *what)
{
	expect_consistent(k, what);
	expect_truth(k, what);
}

void vg_kill_expect_retry(struct vg_kill *k, const char *what)
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

void vg_kill_prepare(struct vg_kill *k)
{
	if (k->older)
		vg_case_must_apply(&k->c, k->older);
	if (strcmp(k->scenario->verb, "revert") == 0)
		vg_case_must_apply(&k->c, k->patch);
}

size_t vg_kill_step(size_t sample)
{
	return getenv("VGRAFT_KILL_ALL") ? 1 : sample;
}
