/* SPDX-License-Identifier: MIT */
#include <math.h>

double curve(double value);

double curve(double value)
{
	return sin(value);
}
