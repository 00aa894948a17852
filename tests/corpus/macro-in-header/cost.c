/* SPDX-License-Identifier: MIT */
#include "rate.h"

int cost(int value);

int cost(int value)
{
	return value * RATE;
}
