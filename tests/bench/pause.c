/* SPDX-License-Identifier: MIT */
/*
 * The pause beside its physical floor. For each number of threads: fresh targets, and on each of
 * them the floor program and an apply or revert in turn, so that a machine that is busy for a while
 * is busy for both. Wall time is that of the whole command, from its start to its end. Medians;
 * nothing here passes or fails.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/lib/measure.h"
#include "tests/bench/lib/plot.h"

#define RUNS 15

static const char *const thread_counts[] = {"1", "8", "64", "783"};

struct size_result {
	struct series floor, apply, revert, inject, apply_wall, revert_wall;
};

static struct plot plot = {.title = "pause of a target beside its floor",
			   .x_label = "threads",
			   .y_label = "microseconds",
			   .logarithmic = true};
static struct plot_line *floor_line, *apply_line, *revert_line, *aim_line, *wall_line;

static char folder[512];

static void measure_verb(const char *verb, const char *subject, const struct bench_target *target,
			 struct series *pause, struct series *inject, struct series *wall)
{
	double start = bench_now_ms();
	json_t *answers = bench_vgraft("%s '%s' --pid %d", verb, subject, target->pid);
	const json_t *answer = json_array_get(answers, 0);

	series_add(wall, bench_now_ms() - start);
	series_add(pause, bench_number(answer, "pause_us"));
	series_add(inject, bench_number(answer, "inject_us"));
	json_decref(answers);
}

static void measure_target(const char *threads, struct size_result *result)
{
	struct bench_target target;
	char program[600], object[600];

	snprintf(program, sizeof(program), "%s/target", folder);
	snprintf(object, sizeof(object), "%s/pause.vgp", folder);
	bench_target_start(&target, program, threads);
	series_add(&result->floor, bench_floor_us(target.pid, target.first));
	measure_verb("apply", object, &target, &result->apply, &result->inject,
		     &result->apply_wall);
	series_add(&result->floor, bench_floor_us(target.pid, target.first));
	measure_verb("revert", "pause", &target, &result->revert, &result->inject,
		     &result->revert_wall);
	bench_target_stop(&target);
}

static void print_size(const char *threads, struct size_result *result)
{
	double floor_us = series_median(&result->floor), apply_us = series_median(&result->apply);
	double revert_us = series_median(&result->revert), aim_us = 1.5 * floor_us + 100;
	double wall_ms = series_median(&result->apply_wall), count = strtod(threads, NULL);

	printf("%8s %9.1f %9.1f %9.1f %11.2f %14.1f %9.1f %9.1f %9.1f\n", threads, floor_us,
	       apply_us, revert_us, apply_us / floor_us, aim_us, series_median(&result->inject),
	       wall_ms, series_median(&result->revert_wall));
	fflush(stdout);
	plot_add(floor_line, count, floor_us);
	plot_add(apply_line, count, apply_us);
	plot_add(revert_line, count, revert_us);
	plot_add(aim_line, count, aim_us);
	plot_add(wall_line, count, 1e3 * wall_ms);
}

static void measure_size(const char *threads)
{
	struct size_result result = {0};

	for (int i = 0; i < RUNS; i++)
		measure_target(threads, &result);
	print_size(threads, &result);
	series_clear(&result.floor);
	series_clear(&result.apply);
	series_clear(&result.revert);
	series_clear(&result.inject);
	series_clear(&result.apply_wall);
	series_clear(&result.revert_wall);
}

static void add_lines(void)
{
	floor_line = plot_add_line(&plot, "floor");
	apply_line = plot_add_line(&plot, "apply, pause");
	revert_line = plot_add_line(&plot, "revert, pause");
	aim_line = plot_add_line(&plot, "1.5 floor + 100");
	wall_line = plot_add_line(&plot, "apply, whole command");
}

int main(void)
{
	json_t *built = bench_patch("pause", folder);

	printf("pause of a target, us, medians of %d fresh targets, the floor program in the same "
	       "run (load %.1f, patch of %.0f bytes)\n",
	       RUNS, bench_load(), bench_number(json_array_get(built, 0), "bytes"));
	printf("%8s %9s %9s %9s %11s %14s %9s %9s %9s\n", "threads", "floor", "apply", "revert",
	       "apply/floor", "1.5*floor+100", "injected", "apply ms", "revert ms");
	add_lines();
	for (size_t i = 0; i < sizeof(thread_counts) / sizeof(thread_counts[0]); i++)
		measure_size(thread_counts[i]);
	plot_write(&plot, "pause");
	json_decref(built);
	return 0;
}
