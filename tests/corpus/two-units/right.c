/* SPDX-License-Identifier: MIT */
#include "units.h"

int right(int value)
{
	return value * 3;
}
