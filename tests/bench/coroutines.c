/* SPDX-License-Identifier: MIT */
/*
 * What suspended coroutines cost inside the stop: each one is looked at, and all memory in which
 * another context could have been saved meanwhile is searched. Targets like QEMU, with 64
 * coroutines and heaps of several sizes, beside the same program with none. Medians; nothing here
 * passes or fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/measure.h"
#include "tests/bench/lib/plot.h"

#define RUNS 15

static char folder[512];
static struct plot plot = {.title = "pause with 64 suspended coroutines",
			   .x_label = "MiB of heap",
			   .y_label = "microseconds"};
static struct plot_line *floor_line, *apply_line;

static void measure(const char *verb, const char *subject, pid_t pid, struct series *pause,
		    double *coroutines)
{
	json_t *answers = bench_vgraft("%s '%s' --pid %d", verb, subject, pid);
	const json_t *answer = json_array_get(answers, 0);

	series_add(pause, bench_number(answer, "pause_us"));
	*coroutines = bench_number(answer, "coroutines");
	json_decref(answers);
}

/* `sizes`: COROUTINES:MEBIBYTES. */
static void measure_size(const char *sizes)
{
	struct series floor = {0}, apply = {0}, revert = {0};
	char program[600], object[600];
	double found = 0;

	snprintf(program, sizeof(program), "%s/target", folder);
	snprintf(object, sizeof(object), "%s/coroutines.vgp", folder);
	for (int i = 0; i < RUNS; i++) {
		struct bench_target target;

		bench_target_start(&target, program, sizes);
		series_add(&floor, bench_floor_us(target.pid, target.first));
		measure("apply", object, target.pid, &apply, &found);
		measure("revert", "coroutines", target.pid, &revert, &found);
		bench_target_stop(&target);
	}
	printf("%6s %10.0f %9.1f %9.1f %9.1f\n", strchr(sizes, ':') + 1, found,
	       series_median(&floor), series_median(&apply), series_median(&revert));
	fflush(stdout);
	if (found > 0) {
		plot_add(floor_line, strtod(strchr(sizes, ':') + 1, NULL), series_median(&floor));
		plot_add(apply_line, strtod(strchr(sizes, ':') + 1, NULL), series_median(&apply));
	}
	series_clear(&floor);
	series_clear(&apply);
	series_clear(&revert);
}

int main(void)
{
	json_decref(bench_patch("coroutines", folder));
	printf("pause of a target with suspended coroutines, us, medians of %d fresh targets "
	       "(load %.1f)\n",
	       RUNS, bench_load());
	printf("%6s %10s %9s %9s %9s\n", "MiB", "coroutines", "floor", "apply", "revert");
	floor_line = plot_add_line(&plot, "floor");
	apply_line = plot_add_line(&plot, "apply, pause");
	measure_size("0:25");
	measure_size("64:1");
	measure_size("64:25");
	measure_size("64:60");
	plot_write(&plot, "coroutines");
	return 0;
}
