/* SPDX-License-Identifier: MIT */
/* Time on CLOCK_MONOTONIC, in nanoseconds. */
#ifndef PATCHER_CLOCK_H
#define PATCHER_CLOCK_H

#include <stdint.h>
#include <time.h>

#define VG_MICROSECOND 1000ull
#define VG_MILLISECOND 1000000ull
#define VG_SECOND      1000000000ull

static inline uint64_t vg_clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * VG_SECOND + (uint64_t)now.tv_nsec;
}

static inline struct timespec vg_clock_timespec(uint64_t nanoseconds)
{
	return (struct timespec){.tv_sec = (time_t)(nanoseconds / VG_SECOND),
				 .tv_nsec = (long)(nanoseconds % VG_SECOND)};
}

static inline void vg_clock_sleep(uint64_t nanoseconds)
{
	struct timespec time = vg_clock_timespec(nanoseconds);

	nanosleep(&time, NULL);
}

#endif
