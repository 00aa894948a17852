/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#ifdef WITH_STATISTICS
static unsigned long questions;
#define COUNT() (questions++)
#else
#define COUNT() ((void)0)
#endif

/* Alike in both compilations. */
__attribute__((noinline)) static int halve(int value)
{
	return value / 2;
}

__attribute__((noinline)) static int answer(int value)
{
	COUNT();
	return halve(value) + 1;
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", answer(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
