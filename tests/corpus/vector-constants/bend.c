/* SPDX-License-Identifier: MIT */
#include <math.h>

double bend(double value);

double bend(double value)
{
	return value * 0.5;
}
