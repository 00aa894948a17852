/* SPDX-License-Identifier: MIT */
#include "scale.h"

int low(int value);

int low(int value)
{
	return scale(value) * value + 1;
}
