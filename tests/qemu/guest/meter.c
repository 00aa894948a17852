// SPDX-License-Identifier: MIT
/*
 * The pause meter: a thread on each processor that does nothing but look at the time stamp counter.
 * What it does not see go by, the guest did not have.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tests/qemu/guest/guest.h"

#define PROCESSORS_MAX 8

static struct {
	atomic_ulong longest;	     /* ticks between two looks, of any processor */
	uint64_t ticks, nanoseconds; /* when it was started */
} meter;

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *watch(void *argument)
{
	uintptr_t processor = (uintptr_t)argument;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		give_up("no meter on processor %lu: %s", processor, strerror(errno));
	for (uint64_t last = __rdtsc();;) {
		uint64_t now = __rdtsc(), gap = now - last;
		unsigned long longest = meter.longest;

		/* Who reads it may have begun anew meanwhile. */
		while (gap > longest &&
		       !atomic_compare_exchange_weak(&meter.longest, &longest, gap))
			;
		last = now;
	}
	return NULL;
}

void meter_start(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	meter.ticks = __rdtsc();
	meter.nanoseconds = nanoseconds();
	for (uintptr_t i = 0; i < (uintptr_t)count && i < PROCESSORS_MAX; i++)
		if (pthread_create(&thread, NULL, watch, (void *)i) != 0)
			give_up("cannot start a thread");
	say("vg-meter started");
}

void meter_read(void)
{
	uint64_t ticks = __rdtsc() - meter.ticks, elapsed = nanoseconds() - meter.nanoseconds;
	unsigned long longest = atomic_exchange(&meter.longest, 0);

	say("vg-gap us=%.1f", (double)longest * (double)elapsed / (double)ticks / 1e3);
}
