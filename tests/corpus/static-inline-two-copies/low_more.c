/* SPDX-License-Identifier: MIT */
#include "mix.h"

int more(int value);

int more(int value)
{
	return mix(value) + 1;
}
