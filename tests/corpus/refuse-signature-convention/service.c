/* SPDX-License-Identifier: MIT */
#include "service.h"

int combine(int tens, int ones);

int combine(int tens, int ones)
{
	return 10 * tens + ones;
}
