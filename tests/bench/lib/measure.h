/* SPDX-License-Identifier: MIT */
/*
 * What the benches share: series of numbers and their medians, commands as a user types them, and
 * targets that wait on a pipe. A bench measures and prints; it never passes or fails by a time.
 * What does not work at all ends it with a sentence.
 */
#ifndef TESTS_BENCH_LIB_MEASURE_H
#define TESTS_BENCH_LIB_MEASURE_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct vg_error;

struct series {
	double *values;
	size_t count, room;
};

void series_add(struct series *series, double value);
double series_median(struct series *series); /* sorts it */
void series_clear(struct series *series);

double bench_now_ms(void);
/* The load average of the last minute, to be printed beside the numbers. */
double bench_load(void);
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);
void bench_must(struct vg_error *error); /* dies with its sentence */

/* Runs a command that must succeed. */
__attribute__((format(printf, 1, 2))) void bench_run(const char *format, ...);
/* The first line that a command that must succeed prints; the caller frees it. */
__attribute__((format(printf, 1, 2))) char *bench_line(const char *format, ...);
/* All objects that `vgraft WORDS --json` prints, as an array; the caller drops it. */
__attribute__((format(printf, 1, 2))) json_t *bench_vgraft(const char *format, ...);
double bench_number(const json_t *object, const char *key);

/* Makes an empty folder of that name below the build folder; the name is absolute. */
void bench_folder(const char *name, char folder[512]);
/*
 * Copies tests/bench/NAME/target.c, compiles it as FOLDER/target, and builds FOLDER/NAME.vgp from
 * tests/bench/NAME/fix.diff; returns what vgraft build said. The build-id is new in each run.
 */
json_t *bench_patch(const char *name, char folder[512]);

/* A process that prints a line when it has started, and answers a line with a line. */
struct bench_target {
	pid_t pid;
	FILE *in, *out;
	char first[64]; /* the line, without its end */
};
void bench_target_start(struct bench_target *target, const char *program, const char *argument);
/* Sends a line, returns the number in the answer. */
double bench_target_ask(struct bench_target *target);
void bench_target_stop(struct bench_target *target);

/*
 * The pause in us that the floor program (tests/bench/floor) makes; `address` (hexadecimal) is that
 * of two words of the target that do not change meanwhile.
 */
double bench_floor_us(pid_t pid, const char *address);
/* Finds such words in a process that knows nothing of it. */
void bench_still_words(pid_t pid, char address[32]);

#endif
