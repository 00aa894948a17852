/* SPDX-License-Identifier: MIT */
/* The target of the call bench: answers each line with the cost of a call to one function, in ns. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCHES 31
#define CALLS	1000000

unsigned step(unsigned value);

__attribute__((noinline)) unsigned step(unsigned value)
{
	return value * 3 + 1;
}

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	static volatile unsigned sink;
	double costs[BATCHES];
	char line[64];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		unsigned value = sink;

		for (int i = 0; i < BATCHES; i++) {
			double start = now_ns();

			for (int call = 0; call < CALLS; call++)
				value = step(value);
			costs[i] = (now_ns() - start) / CALLS;
		}
		sink = value;
		qsort(costs, BATCHES, sizeof(double), compare);
		printf("%.4f %u\n", costs[BATCHES / 2], step(2));
		fflush(stdout);
	}
	return 0;
}
