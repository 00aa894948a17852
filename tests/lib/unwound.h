/* SPDX-License-Identifier: MIT */
/*
 * A C++ program that unwinds through C functions (tests/live/unwound), two patches for them, and
 * vgraft on it as a user runs it.
 */
#ifndef TESTS_LIB_UNWOUND_H
#define TESTS_LIB_UNWOUND_H

#include "tests/lib/process.h"

/* Once, before the tests, in the source tree. */
void vg_unwound_find(void);
/*
 * A checked fixture: a project with `program`, outer.vgp, inner.vgp, and all.vgp, which changes
 * outer() as outer.vgp does and replaces other patches. vg_project_leave() ends it.
 */
void vg_unwound_set_up(void);
/* The folder that vgraft lies in. */
const char *vg_unwound_vgraft(void);

struct vg_process *vg_unwound_start(void);
/* Sends a letter; the next line with `key` must go on with `value`. */
void vg_unwound_expect(struct vg_process *process, char letter, const char *key, int value);
/* Runs `vgraft VERB --pid PID`; its answer must hold `says`. */
void vg_unwound_vgraft_says(const struct vg_process *process, const char *verb, const char *says);

#endif
