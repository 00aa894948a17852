/* SPDX-License-Identifier: MIT */
#include "many.h"

int all(int value);

STEP(0)
STEP(1)
STEP(2)
STEP(3)
STEP(4)
STEP(5)
STEP(6)
STEP(7)
STEP(8)
STEP(9)
STEP(10)
STEP(11)

typedef int (*step)(int value);
static const step steps[] = {f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11};

int all(int value)
{
	int sum = 0;

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		sum += ((volatile step *)steps)[i](value);
	return sum;
}
