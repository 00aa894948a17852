/* SPDX-License-Identifier: MIT */
#include "steps.h"

int (*step)(int value);

int inner(int value)
{
	return step(value) + 10;
}
