/* SPDX-License-Identifier: MIT */
/* The first five bytes of outer() hold a call: it is among the displaced instructions. */
#include "steps.h"

int outer(int value)
{
	return inner(value) + 1;
}
