/* SPDX-License-Identifier: MIT */
/*
 * One fix into a hundred processes: `--pid` with a list and `--all`, beside one process alone, in
 * turn on the same processes. `--all` also looks at every other process of the machine. Medians;
 * nothing here passes or fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/measure.h"

#define RUNS	  5
#define PROCESSES 100

static char folder[512], all_pids[PROCESSES * 12];
static struct bench_target targets[PROCESSES];

struct way {
	const char *name;
	const char *selection;
	size_t processes;
	struct series apply, revert, pause;
};

static void start_targets(void)
{
	char program[600];

	snprintf(program, sizeof(program), "%s/target", folder);
	for (size_t i = 0, used = 0; i < PROCESSES; i++) {
		bench_target_start(&targets[i], program, "1");
		used += (size_t)snprintf(all_pids + used, sizeof(all_pids) - used, "%s%d",
					 i ? "," : "--pid ", targets[i].pid);
	}
}

static void measure(struct way *way)
{
	double start = bench_now_ms();
	json_t *applied = bench_vgraft("apply '%s/pause.vgp' %s", folder, way->selection);
	double between = bench_now_ms();
	json_t *reverted = bench_vgraft("revert pause %s", way->selection);

	series_add(&way->revert, bench_now_ms() - between);
	series_add(&way->apply, between - start);
	if (json_array_size(applied) != way->processes)
		bench_die("%s reached %zu of %zu processes", way->name, json_array_size(applied),
			  way->processes);
	for (size_t i = 0; i < way->processes; i++)
		series_add(&way->pause, bench_number(json_array_get(applied, i), "pause_us"));
	json_decref(applied);
	json_decref(reverted);
}

/* `one`: the way of one process alone, which the last two columns compare with. */
static void print_way(struct way *way, struct way *one)
{
	double apply_ms = series_median(&way->apply), revert_ms = series_median(&way->revert);

	printf("%22s %10zu %9.1f %9.1f %11.2f %11.2f %9.1f %9.1f %9.1f\n", way->name,
	       way->processes, apply_ms, revert_ms, apply_ms / (double)way->processes,
	       revert_ms / (double)way->processes, series_median(&way->pause),
	       apply_ms / series_median(&one->apply), revert_ms / series_median(&one->revert));
}

int main(void)
{
	char one_pid[32];
	struct way ways[] = {
		{.name = "--pid, one", .selection = one_pid, .processes = 1},
		{.name = "--pid, a list", .selection = all_pids, .processes = PROCESSES},
		{.name = "--all", .selection = "--all", .processes = PROCESSES}};

	json_decref(bench_patch("pause", folder));
	start_targets();
	snprintf(one_pid, sizeof(one_pid), "--pid %d", targets[0].pid);
	for (int i = 0; i < RUNS; i++)
		for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
			measure(&ways[w]);
	printf("one command, ms from its start to its end, medians of %d runs; pause of a process, "
	       "us (load %.1f)\n",
	       RUNS, bench_load());
	printf("%22s %10s %9s %9s %11s %11s %9s %9s %9s\n", "", "processes", "apply", "revert",
	       "apply each", "revert each", "pause", "apply x", "revert x");
	for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
		print_way(&ways[w], &ways[0]);
	for (size_t i = 0; i < PROCESSES; i++)
		bench_target_stop(&targets[i]);
	return 0;
}
