/* SPDX-License-Identifier: MIT */
/*
 * What every test program shares. A test program builds one Check suite and ends in
 * `return vg_suite_run(suite)`; that prints the closing line `N passed, N failed, N skipped` which
 * the test runner adds up.
 */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include <check.h>

/* Runs the suite and prints the closing line. Returns the exit status for main(). */
int vg_suite_run(Suite *suite);

/*
 * For a test that cannot run here: prints `skipped: NAME: REASON` and counts the test as skipped,
 * not as passed. Does not return (ends the forked test process).
 */
#define vg_test_skip(...) vg_test_skip_at(__func__, __VA_ARGS__)
void vg_test_skip_at(const char *test, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

#endif
