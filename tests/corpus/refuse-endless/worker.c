/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include <time.h>

static volatile int counted;

__attribute__((noinline)) int count_one(int value)
{
	return value;
}

void *work(void *unused)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	(void)unused;
	for (;;) {
		counted += count_one(1);
		nanosleep(&pause, 0);
	}
}
