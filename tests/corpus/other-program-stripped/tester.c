/* SPDX-License-Identifier: MIT */
/* A test of the project, which includes what it tests. */
#include <stdio.h>

#include "parse.c"

static __attribute__((noinline)) int failures(void)
{
	static const char *const lines[] = {"1", "22", "-3", "x"};
	int sum = 0;

	for (int i = 0; i < 4; i++)
		sum += parse(lines[i], i < 1 ? 1 : 2) == weigh(lines[i], 1);
	return sum;
}

int main(void)
{
	printf("%d\n", failures());
	return 0;
}
