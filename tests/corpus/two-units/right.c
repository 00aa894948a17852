/* SPDX-License-Identifier: MIT */
#include "units.h"

int right(int value)
{
	return value * value * 5;
}
