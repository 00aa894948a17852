/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int work(int value);

int work(int value)
{
	return value * 31;
}
