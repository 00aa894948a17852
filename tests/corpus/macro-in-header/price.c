/* SPDX-License-Identifier: MIT */
#include "rate.h"

int price(int value);

int price(int value)
{
	return value * RATE + value;
}
