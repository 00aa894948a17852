/* SPDX-License-Identifier: MIT */
/*
 * What a call to a patched function costs over one to the same function unpatched: one process
 * that calls it in a loop, patched and unpatched in turn by vgraft. Old and new code are alike, so
 * that the difference is the way through the entry. Medians; nothing here passes or fails.
 */
#include <stdio.h>

#include "tests/bench/lib/measure.h"

#define RUNS 15

int main(void)
{
	struct series before = {0}, patched = {0}, after = {0};
	struct bench_target target;
	char folder[512], program[600];

	json_decref(bench_patch("call", folder));
	snprintf(program, sizeof(program), "%s/target", folder);
	bench_target_start(&target, program, NULL);
	for (int i = 0; i < RUNS; i++) {
		series_add(&before, bench_target_ask(&target));
		json_decref(bench_vgraft("apply '%s/call.vgp' --pid %d", folder, target.pid));
		series_add(&patched, bench_target_ask(&target));
		json_decref(bench_vgraft("revert call --pid %d", target.pid));
		series_add(&after, bench_target_ask(&target));
	}
	bench_target_stop(&target);

	double unpatched_ns = series_median(&before), patched_ns = series_median(&patched);

	printf("a call, loop included, ns, medians of %d times in and out of one process "
	       "(load %.1f)\n",
	       RUNS, bench_load());
	printf("%10s %9s %11s %9s\n", "unpatched", "patched", "taken out", "cost");
	printf("%10.2f %9.2f %11.2f %9.2f\n", unpatched_ns, patched_ns, series_median(&after),
	       patched_ns - unpatched_ns);
	return 0;
}
