/* SPDX-License-Identifier: MIT */
#include "scale.h"

int use(int value);

int use(int value)
{
	return scale(value) + 0;
}
