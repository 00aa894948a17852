/* SPDX-License-Identifier: MIT */
/* Small projects in a temporary directory, for tests of what reads sources and runs compilers. */
#ifndef TESTS_LIB_PROJECT_H
#define TESTS_LIB_PROJECT_H

#include <stddef.h>

#include "tests/lib/process.h"

/*
 * Makes an empty directory and enters it; its path (canonical) is vg_project_root(). Meant as a
 * checked fixture of Check: each test has its own.
 */
void vg_project_enter(void);
void vg_project_leave(void); /* removes it */
const char *vg_project_root(void);

/* Writes a file below the root, with the folders on the way to it. Fails the test if it cannot. */
void vg_project_write(const char *path, const char *text);
/* Runs a shell command in the root; fails the test if the command fails. */
void vg_project_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* As above, returning the exit status and what the command printed on stdout (malloc). */
int vg_project_output(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Starts ./program of the root. */
struct vg_process *vg_project_start(void);
/* Asks it; what it says then must begin with the answer. */
void vg_project_expect(struct vg_process *process, const char *question, const char *answer);

#endif
