/* SPDX-License-Identifier: MIT */
#include "tests/lib/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Shared with the forked test processes, which are where a test finds out that it must skip. */
static int *skipped;

int vg_suite_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	skipped = mmap(NULL, sizeof(*skipped), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (skipped == MAP_FAILED)
		return 1;
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);

	int failed = srunner_ntests_failed(runner);
	int passed = srunner_ntests_run(runner) - failed - *skipped;

	printf("%d passed, %d failed, %d skipped\n", passed, failed, *skipped);
	srunner_free(runner);
	return failed ? 1 : 0;
}

void vg_test_skip_at(const char *test, const char *format, ...)
{
	va_list args;

	printf("skipped: %s: ", test);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	__atomic_add_fetch(skipped, 1, __ATOMIC_SEQ_CST);
	_exit(0);
}
