/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

int count(int value);
int scale(int value);

static int total;

int scale(int value)
{
	return abs(value) * 3 - 2 * value;
}

int count(int value)
{
	total += scale(value);
	return total;
}
