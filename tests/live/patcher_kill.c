/* SPDX-License-Identifier: MIT */
/*
 * Old or new, never between: vgraft is killed at its system calls, one run for each. After each
 * kill the target must be alive and not stopped, answer entirely old or entirely new, have whole
 * signal masks and registers; and the next verb must recover and leave it as if nothing had
 * happened.
 */
#include <dirent.h>
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
static const struct vg_case_change both[] = {{"first", 2, false}, {"second", 3, false}};

struct kill {
	struct vg_case c;
	struct vg_patch *patch;
	char *vgraft;
	char file[64];
	char pid[16];
	unsigned killed;      /* runs that got as far as their point */
	unsigned left[3];     /* what kills left: nothing, applied, interrupted */
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

static void start(struct kill *k)
{
	*k = (struct kill){0};
	k->vgraft = vg_beside_test("../../vgraft");
	vg_case_start(&k->c, "patcher_target", few_threads);
	k->patch = vg_case_patch(&k->c, "fix", both, 2, NULL);
	save_patch(k);
	snprintf(k->pid, sizeof(k->pid), "%d", k->c.pid);
}

static void end(struct kill *k)
{
	unlink(k->file);
	free(k->vgraft);
	vg_patch_free(k->patch);
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

static bool is_nth(void *context, const struct vg_killer_call *call, size_t nth)
{
	(void)call;
	return nth == *(size_t *)context;
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

/* Entirely old or entirely new. */
static void expect_consistent(struct kill *k, const char *what)
{
	_cleanup_free_ char *line = vg_case_ask(&k->c, 'a', "answers");
	struct vg_case_counts counts;

	ck_assert_msg(strcmp(line, "answers 1 1") == 0 || strcmp(line, "answers 2 3") == 0,
		      "%s: %s", what, line);
	counts = vg_case_counts(&k->c);
	ck_assert_msg(!counts.mixed && !counts.damaged, "%s: mixed %lu damaged %lu", what,
		      counts.mixed, counts.damaged);
	ck_assert_msg(counts.interrupted <= k->interrupted + 1, "%s: %lu calls interrupted", what,
		      counts.interrupted - k->interrupted);
	k->interrupted = (unsigned)counts.interrupted;
}

/* For the record: what did the kill leave? */
static void note_state(struct kill *k)
{
	struct vg_status status;
	struct vg_error *error = vg_status_read(k->c.pid, &status);

	ck_assert_msg(!error, "status: %s", vg_error_text(error));
	k->left[!status.count ? 0 : status.applied[0].interrupted ? 2 : 1]++;
	vg_status_clear(&status);
}

/* One kill, and the next verb. False: the verb came to its end before the call. */
static bool kill_at(struct kill *k, const char *verb, size_t at,
		    const struct vg_case_picture *original)
{
	struct vg_killer killer;
	char what[128];

	if (strcmp(verb, "revert") == 0)
		vg_case_must_apply(&k->c, k->patch);
	run(k, verb, is_nth, &at, &killer);
	snprintf(what, sizeof(what), "%s killed at call %zu (%ld)", verb, at,
		 killer.calls[killer.count - 1].number);
	bool killed = killer.killed;

	k->killed += killed;
	vg_killer_clear(&killer);
	expect_free(k, what);
	expect_consistent(k, what);
	note_state(k);

	struct vg_result result;
	struct vg_patch_options wait = {.timeout = 30};
	struct vg_error *error = vg_apply(k->patch, k->c.pid, &wait, &result);

	ck_assert_msg(!error && result.outcome <= VG_OUTCOME_ALREADY, "%s, then apply: %s", what,
		      result.reason ? result.reason : "");
	vg_result_clear(&result);
	vg_case_expect_answers(&k->c, 2, 3);
	vg_case_must_revert(&k->c, "fix");
	vg_case_expect_answers(&k->c, 1, 1);
	vg_case_expect_picture(&k->c, original);
	return killed;
}

static size_t step(size_t sample)
{
	return getenv("VGRAFT_KILL_ALL") ? 1 : sample;
}

static void kill_everywhere(const char *verb)
{
	struct vg_case_picture original;
	struct kill k;
	size_t call = 1;

	start(&k);
	vg_case_picture(&k.c, &original);
	/* How many calls there are differs from run to run (retries): on until one gets to its end.
	 */
	while (kill_at(&k, verb, call, &original))
		call += step(3);
	printf("%s: killed at %u of %zu calls; left nothing %u, applied %u, interrupted %u\n", verb,
	       k.killed, call - 1, k.left[0], k.left[1], k.left[2]);
	fflush(stdout);
	ck_assert_uint_gt(k.left[2], 0);
	vg_case_picture_clear(&original);
	end(&k);
}

/*
 * The stores of the stop, in the order of the journal: ARMING, two entries, switch word, slots,
 * APPLIED. The first thread that vgraft makes maps the areas; those after it stop the target, and
 * only the one that succeeds writes. Counts `*context` down.
 */
static bool is_store_of_stop(void *context, const struct vg_killer_call *call, size_t nth)
{
	unsigned *left = context;

	(void)nth;
	return call->thread >= 2 && call->number == SYS_pwrite64 && !(*left)--;
}

/* Interrupts an apply at one of these stores, then kills the recovery from it. */
static void kill_recovery(struct kill *k, size_t calls, unsigned store,
			  const struct vg_case_picture *original)
{
	for (size_t i = 1 + store; i < calls; i += step(31)) {
		struct vg_killer killer;
		unsigned left = store;

		run(k, "apply", is_store_of_stop, &left, &killer);
		ck_assert(killer.killed);
		vg_killer_clear(&killer);
		expect_free(k, "apply killed in the stop");
		kill_at(k, "apply", i, original);
	}
}

START_TEST(a_killed_recovery_leaves_old_or_new_and_the_next_verb_recovers)
{
	struct vg_case_picture original;
	struct vg_killer plain;
	struct kill k;

	start(&k);
	vg_case_picture(&k.c, &original);
	run(&k, "apply", NULL, NULL, &plain);
	ck_assert_msg(plain.code == 0, "exit code %d: %s", plain.code, plain.messages);
	vg_case_must_revert(&k.c, "fix");
	for (unsigned store = 0; store < 6; store++)
		kill_recovery(&k, plain.count, store, &original);
	printf("recovery: killed at %u points\n", k.killed);
	fflush(stdout);
	vg_killer_clear(&plain);
	vg_case_picture_clear(&original);
	end(&k);
}
END_TEST

START_TEST(a_killed_apply_leaves_old_or_new_and_the_next_verb_recovers)
{
	kill_everywhere("apply");
}
END_TEST

START_TEST(a_killed_revert_leaves_old_or_new_and_the_next_verb_recovers)
{
	kill_everywhere("revert");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_kill");
	TCase *tcase = tcase_create("kill");

	tcase_set_timeout(tcase, 7200);
	tcase_add_test(tcase, a_killed_apply_leaves_old_or_new_and_the_next_verb_recovers);
	tcase_add_test(tcase, a_killed_revert_leaves_old_or_new_and_the_next_verb_recovers);
	tcase_add_test(tcase, a_killed_recovery_leaves_old_or_new_and_the_next_verb_recovers);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
