/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

int sum(int value);
static int weights[3] = {20, 21, 22};

int sum(int value)
{
	return abs(value) + weights[0] + weights[2];
}
