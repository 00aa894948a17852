/* SPDX-License-Identifier: MIT */
#include "units.h"

int left(int value)
{
	return value * 2;
}
