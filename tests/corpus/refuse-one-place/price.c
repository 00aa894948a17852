/* SPDX-License-Identifier: MIT */
#include "scale.h"

int price(int value);

int price(int value)
{
	return scale(value) + 7;
}
