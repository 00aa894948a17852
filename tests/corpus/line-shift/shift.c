/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>

int shift(int value);

int shift(int value)
{
	assert(value < 1000000);
	if (value < 0)
		fprintf(stderr, "%s:%d: negative\n", __FILE__, __LINE__);
	return value + 1;
}
