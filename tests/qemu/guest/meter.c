// SPDX-License-Identifier: MIT
/*
 * The pause meter: a thread on each processor that does nothing but look at the time stamp counter.
 * What it does not see go by, the guest did not have. It naps in between, since a vCPU that TCG
 * emulates may have no safe point for as long as it never leaves the code that TCG made; a nap that
 * is too long counts by what it is too long.
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
#define AWAKE_NS       5000000
#define NAP_NS	       1000000
#define SPEED_US       500000

static struct {
	atomic_ulong longest; /* ticks between two looks, of any processor */
	uint64_t ticks_per_us;
} meter;

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Who reads it may begin anew meanwhile. */
static void note(uint64_t gap)
{
	unsigned long longest = meter.longest;

	while (gap > longest && !atomic_compare_exchange_weak(&meter.longest, &longest, gap))
		;
}

static void look(uint64_t ticks)
{
	uint64_t start = __rdtsc();

	for (uint64_t last = start, now; last - start < ticks; last = now) {
		now = __rdtsc();
		note(now - last);
	}
}

static void nap(uint64_t ticks)
{
	uint64_t start = __rdtsc(), took;

	nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
	took = __rdtsc() - start;
	note(took > ticks ? took - ticks : 0);
}

static void *watch(void *argument)
{
	uintptr_t processor = (uintptr_t)argument;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		give_up("no meter on processor %lu: %s", processor, strerror(errno));
	for (;;) {
		look(AWAKE_NS * meter.ticks_per_us / 1000);
		nap(NAP_NS * meter.ticks_per_us / 1000);
	}
	return NULL;
}

/* The counter's speed, from a time that is long beside what it takes to read the clock. */
static uint64_t find_speed(void)
{
	uint64_t ticks = __rdtsc(), start = nanoseconds();

	usleep(SPEED_US);
	ticks = __rdtsc() - ticks;
	return ticks * 1000 / (nanoseconds() - start);
}

void meter_start(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	meter.ticks_per_us = find_speed();
	for (uintptr_t i = 0; i < (uintptr_t)count && i < PROCESSORS_MAX; i++)
		if (pthread_create(&thread, NULL, watch, (void *)i) != 0)
			give_up("cannot start a thread");
	say("vg-meter started");
}

void meter_read(void)
{
	say("vg-gap us=%lu", atomic_exchange(&meter.longest, 0) / meter.ticks_per_us);
}
