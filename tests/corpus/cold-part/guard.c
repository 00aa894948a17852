/* SPDX-License-Identifier: MIT */
#include "complain.h"

int guard(int value);

int guard(int value)
{
	if (__builtin_expect(value < 0, 0)) {
		complain(value);
		return complain(value) - 1;
	}
	return value * 2;
}
