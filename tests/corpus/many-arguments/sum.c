/* SPDX-License-Identifier: MIT */
#include "sum.h"

long sum(long a, long b, long c, long d, long e, long f, long g, long h)
{
	return a + b + c + d + e + f + g + h;
}
