/* SPDX-License-Identifier: MIT */
/*
 * The target of the call bench: answers each line with the cost of a call to one function, which is
 * patched meanwhile, and to its twin, which is not, in ns. Short batches of the two in turn, by the
 * thread's own CPU time, so that what else runs on the host counts little, and for both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCHES 1001
#define CALLS	20000

/* noipa: or the two would be made one. */
#define ALONE __attribute__((noipa, aligned(64)))

unsigned step(unsigned value);
unsigned twin(unsigned value);

ALONE unsigned step(unsigned value)
{
	return value * 3 + 1;
}

ALONE unsigned twin(unsigned value)
{
	return value * 3 + 1;
}

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

#define TIME(function)                                                                             \
	ALONE static double time_##function(void)                                                  \
	{                                                                                          \
		double start = now_ns();                                                           \
		unsigned value = 1;                                                                \
                                                                                                   \
		for (int call = 0; call < CALLS; call++)                                           \
			value = function(value);                                                   \
		__asm__ volatile("" : : "r"(value));                                               \
		return (now_ns() - start) / CALLS;                                                 \
	}
TIME(step)
TIME(twin)

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *costs)
{
	qsort(costs, BATCHES, sizeof(double), compare);
	return costs[BATCHES / 2];
}

int main(void)
{
	static double steps[BATCHES], twins[BATCHES];
	char line[64];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (int i = 0; i < BATCHES; i++) {
			steps[i] = time_step();
			twins[i] = time_twin();
		}
		printf("%.4f %.4f\n", median(steps), median(twins));
		fflush(stdout);
	}
	return 0;
}
