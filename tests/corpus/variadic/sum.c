/* SPDX-License-Identifier: MIT */
#include "sum.h"

#include <stdarg.h>

int sum(int count, ...)
{
	va_list args;
	int total = 0;

	va_start(args, count);
	while (count-- > 0)
		total += va_arg(args, int);
	va_end(args);
	return total;
}
