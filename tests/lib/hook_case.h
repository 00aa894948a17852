/* SPDX-License-Identifier: MIT */
/*
 * A small shop that runs, and patches with hooks and shadow variables that are built from its
 * source: what the tests of both share. The project's folder is the current one.
 */
#ifndef TESTS_LIB_HOOK_CASE_H
#define TESTS_LIB_HOOK_CASE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/lib/process.h"

/* The tool that is tested; finds it once, before any test. False: it is not there. */
bool vg_hook_case_find_tool(void);
const char *vg_hook_case_tool(void);

/*
 * Fixture: a project of its own with the program, and fix.diff, with which the price rises by 100
 * each time it is asked for: a shadow variable, number 1, of the item counts that.
 */
void vg_hook_case_enter(void);

/* A hooks file begins so. */
#define VG_HOOK_CASE_INCLUDE                                                                       \
	"#include <vgraft/hooks.h>\nextern int limit;\nextern void *kept;\n"                       \
	"struct item { int price; };\nextern struct item items[4];\n"
#define VG_HOOK_CASE_HEAD VG_HOOK_CASE_INCLUDE "VGRAFT_SHADOW_VARIABLES;\n"

/* vgraft build of NAME.vgp from fix.diff; its exit code. *text: what it says. */
int vg_hook_case_build(const char *name, const char *options, char **text);
/* The same, which must succeed, with this hooks file (NULL: none) and no more than that. */
void vg_hook_case_must_build(const char *name, const char *hooks, const char *options);

/*
 * Commands: N asks for the price of an item, =N sets the limit, ? tells it, and what signals did.
 * The first one is answered: the dynamic linker is done.
 */
struct vg_process *vg_hook_case_start(void);
/* Runs the verb on the process; its line of JSON must contain both. */
void vg_hook_case_run(const struct vg_process *process, const char *verb, const char *result,
		      const char *says);
/* The verb, killed at its call `at`; false: it came to its end before. */
bool vg_hook_case_kill_at(struct vg_process *process, const char *verb, const char *what,
			  size_t at);

#endif
