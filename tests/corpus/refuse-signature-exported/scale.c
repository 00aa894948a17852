/* SPDX-License-Identifier: MIT */
#include "scale.h"

int scale(int value)
{
	return value * value * 2;
}
