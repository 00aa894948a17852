/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include <time.h>

static volatile int polled;

__attribute__((noinline)) int limit_of(int value)
{
	return value * 10;
}

static inline __attribute__((always_inline)) void poll_once(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	polled++;
	nanosleep(&pause, 0);
}

void *work(void *unused)
{
	(void)unused;
	for (;;)
		poll_once();
}
