/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

int add(int value);

static _Atomic int total;

int add(int value)
{
	return atomic_fetch_add(&total, value) + value;
}
