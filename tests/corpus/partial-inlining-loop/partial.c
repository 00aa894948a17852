/* SPDX-License-Identifier: MIT */
#include <time.h>

int ask(int value);
void *work(void *unused);
int step(int value);

static volatile int turns;

static int long_way(int value)
{
	if (!value)
		return 0;

	int sum = 0;

	for (int i = 0; i < 3; i++) {
		sum += step(value);
		sum += step(sum) & 1;
		sum -= step(sum) & 1;
	}
	for (int i = 0; i < 4; i++)
		sum += step(value) + step(i) - i;
	return sum;
}

int ask(int value)
{
	return long_way(value);
}

void *work(void *unused)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	(void)unused;
	for (;;) {
		turns += long_way(turns & 1);
		nanosleep(&pause, 0);
	}
}
