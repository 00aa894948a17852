/* SPDX-License-Identifier: MIT */
#include "mix.h"

int low(int value);

int low(int value)
{
	return mix(value);
}
