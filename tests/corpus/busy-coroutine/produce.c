/* SPDX-License-Identifier: MIT */
#include "produce.h"

void produce(void)
{
	int value = 1;

	for (;;) {
		yield(value);
		value++;
		if (value > 1000)
			return;
	}
}
