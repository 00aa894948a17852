/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

int one(int value);

static int total;

static __attribute__((noinline)) void check(int value)
{
	if (value < 0)
		abort();
	total += value;
}

int one(int value)
{
	check(value);
	return total * 1;
}
