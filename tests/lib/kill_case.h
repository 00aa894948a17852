/* SPDX-License-Identifier: MIT */
/*
 * A target on which vgraft is killed, and what must hold after each kill: the target is alive and
 * not stopped, answers entirely old or entirely new, has whole signal masks and registers; status
 * tells the truth; the next verbs recover and leave it as if nothing had happened.
 */
#ifndef TESTS_LIB_KILL_CASE_H
#define TESTS_LIB_KILL_CASE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/lib/killer.h"
#include "tests/lib/patcher_case.h"

/* What the functions first, second and third (of the library) return. */
struct vg_kill_answers {
	int first, second, third;
};

/* A verb that is killed, on a patch named "fix". */
struct vg_kill_scenario {
	const char *title, *verb;
	const struct vg_case_change *changes;
	size_t change_count;
	struct vg_case_extra extra;
	/* A patch that is there before, and that `fix` replaces; or none. */
	const struct vg_case_change *older;
	size_t older_count;
	struct vg_kill_answers old, new;
};

struct vg_kill {
	const struct vg_kill_scenario *scenario;
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

enum {
	VG_KILL_APPLY_ONE,
	VG_KILL_APPLY_THREE,
	VG_KILL_REVERT_ONE,
	VG_KILL_REVERT_THREE,
	VG_KILL_REPLACE,
	VG_KILL_SCENARIOS
};
extern const struct vg_kill_scenario vg_kill_scenarios[VG_KILL_SCENARIOS];

/* A fresh target; the patches are not in it. */
void vg_kill_start(struct vg_kill *k, const struct vg_kill_scenario *scenario);
void vg_kill_end(struct vg_kill *k);
/* What must be there before the verb of the scenario. */
void vg_kill_prepare(struct vg_kill *k);
/* Runs vgraft with the scenario's verb and patch. It must be killed where `choice` says, or do it.
 */
void vg_kill_run(struct vg_kill *k, vg_killer_choice *choice, void *context,
		 struct vg_killer *killer);

/* `what` was done, for the message. None of the target's threads is held, or soon is no more. */
void vg_kill_expect_free(const struct vg_kill *k, const char *what);
/* Entirely old or entirely new, and what status calls applied runs. */
void vg_kill_expect_old_or_new(struct vg_kill *k, const char *what);
/* The two states that the next verbs get the target to; the last is that of a fresh one. */
void vg_kill_expect_retry(struct vg_kill *k, const char *what);

/* 1 with VGRAFT_KILL_ALL in the environment: every point; otherwise `sample`. */
size_t vg_kill_step(size_t sample);

#endif
