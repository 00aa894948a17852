/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf again;
static volatile int rejected;

static __attribute__((noinline)) int size_of(int value)
{
	return snprintf(NULL, 0, "%d", value);
}

/* Nothing says that it does not return, but the compiler sees it. */
static __attribute__((noinline)) void leave(int code)
{
	rejected++;
	longjmp(again, code);
}

static __attribute__((noinline)) void reject(int value)
{
	if (__builtin_expect_with_probability(value > 1000, 0, 0.8))
		value = size_of(value);
	leave(value + 1);
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int code = setjmp(again);

		if (!code)
			reject(atoi(line));
		printf("%d\n", code);
		fflush(stdout);
	}
	return 0;
}
