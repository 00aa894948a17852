/* SPDX-License-Identifier: MIT */
#include "reject.h"

#include <stdio.h>

static __attribute__((noinline)) int size_of(int value)
{
	return snprintf(NULL, 0, "%d", value);
}

/* The compiler puts the rare part behind the call that ends the function, and jumps back there. */
void reject(int value)
{
	if (__builtin_expect_with_probability(value > 1000, 0, 0.8))
		value = size_of(value);
	leave(value + 1);
}
