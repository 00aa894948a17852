/* SPDX-License-Identifier: MIT */
#include "rate.h"

int same(int value);

/* Includes the header and does not use the macro. */
int same(int value)
{
	return value;
}
