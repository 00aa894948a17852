/* SPDX-License-Identifier: MIT */
/*
 * What the CPL3 workload shares: options from the command line, TAP on the serial line, the shared
 * page, the meter.
 */
#ifndef TESTS_GUEST_USER_H
#define TESTS_GUEST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/guest/report.h"

static inline struct vg_report *report(void)
{
	return (struct vg_report *)VG_REPORT_ADDRESS;
}

static inline uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static inline void relax(void)
{
	asm volatile("pause" ::: "memory");
}

/* Without a known TSC rate all times in nanoseconds are 0. */
uint64_t to_ns(uint64_t cycles);
uint64_t from_seconds(uint64_t seconds);

/* The value of `name=value` on the command line: found or not, up to `size` - 1 bytes of it. */
bool option_text(const char *name, char *value, size_t size);
uint64_t option_number(const char *name, uint64_t fallback);
/* The n-th `name=value`, from 0. */
bool option_text_nth(const char *name, unsigned int n, char *value, size_t size);
bool text_equal(const char *a, const char *b);
/* Reads a number in decimal or 0x form and moves on to what follows it. */
uint64_t parse_number(const char **text);

/* %s %u (uint64_t) %x (uint64_t) only. One call is one write to the serial line. */
void print(const char *format, ...);

void tap_start(void);
/* One TAP line; returns `ok`. */
bool tap(bool ok, const char *what);
/* The plan, the state in the shared page, then the machine is reset. */
void tap_finish(void) __attribute__((noreturn));
void tap_bail_out(const char *why) __attribute__((noreturn));

static inline bool must_stop(void)
{
	return VG_REPORT_GET(report()->control.stop) != 0;
}

/* A meter that is being kept. `last` is the TSC of the last turn. */
struct meter {
	struct vg_report_meter *to;
	uint64_t last;
};

void meter_start(struct meter *meter, unsigned int cpu);
void meter_turn(struct meter *meter);
/* Clears if the harness asked; true if it did, so that the caller can clear its own maxima. */
bool meter_reset_if_asked(struct meter *meter);
/* The meter alone, until told to stop. */
void meter_run(unsigned int cpu);

/* The modes. Each returns when its work is done and its TAP lines are out. */
void io_run(void);
void exploit_run(const char *name);

#endif
