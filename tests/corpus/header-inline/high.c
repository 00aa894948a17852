/* SPDX-License-Identifier: MIT */
#include "scale.h"

int high(int value);

int high(int value)
{
	return scale(value) * 2 + 5;
}
