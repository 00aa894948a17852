/* SPDX-License-Identifier: MIT */
#include "limit.h"

int limit(int value)
{
	return value > 100 ? 100 : value;
}
