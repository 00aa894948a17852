/* SPDX-License-Identifier: MIT */
/*
 * What a call to a patched function costs over one to an unpatched one: a process calls a function
 * and its unpatched twin in turn, while vgraft patches the function and takes the patch out. Old,
 * new and twin are alike, so that the difference is the way through the entry. Medians; nothing
 * here passes or fails.
 */
#include <stdio.h>

#include "tests/bench/lib/measure.h"

#define RUNS 15

struct costs {
	struct series function, twin, difference;
};

static void measure(struct bench_target *target, struct costs *costs)
{
	double function, twin;
	char line[64];

	fputs("\n", target->in);
	fflush(target->in);
	if (!fgets(line, sizeof(line), target->out) ||
	    sscanf(line, "%lf %lf", &function, &twin) != 2)
		bench_die("process %d does not answer", target->pid);
	series_add(&costs->function, function);
	series_add(&costs->twin, twin);
	series_add(&costs->difference, function - twin);
}

static void print(const char *what, struct costs *costs)
{
	printf("%-10s %9.2f %9.2f %9.2f\n", what, series_median(&costs->function),
	       series_median(&costs->twin), series_median(&costs->difference));
	series_clear(&costs->function);
	series_clear(&costs->twin);
	series_clear(&costs->difference);
}

int main(void)
{
	struct costs before = {0}, patched = {0}, after = {0};
	struct bench_target target;
	char folder[512], program[600];

	json_decref(bench_patch("call", folder));
	snprintf(program, sizeof(program), "%s/target", folder);
	bench_target_start(&target, program, NULL);
	for (int i = 0; i < RUNS; i++) {
		measure(&target, &before);
		json_decref(bench_vgraft("apply '%s/call.vgp' --pid %d", folder, target.pid));
		measure(&target, &patched);
		json_decref(bench_vgraft("revert call --pid %d", target.pid));
		measure(&target, &after);
	}
	bench_target_stop(&target);
	printf("a call, loop included, ns of CPU time, medians of %d times in and out of one "
	       "process (load %.1f)\n",
	       RUNS, bench_load());
	printf("%-10s %9s %9s %9s\n", "", "function", "twin", "cost");
	print("before", &before);
	print("patched", &patched);
	print("taken out", &after);
	return 0;
}
