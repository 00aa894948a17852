/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees of an apply: the longest gap between two looks at its clock on any vCPU. On
 * the same VMM, in turn: nothing, the floor program (which stops all threads and looks at their
 * stacks, no more), the fix going in, the fix coming out. The first row is what the machine itself
 * takes from the guest. Medians; nothing here passes or fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/lib/measure.h"
#include "tests/lib/guest.h"
#include "tests/lib/vulnerable_vmm.h"

#define RUNS	15
#define BUG	"blk-get-id"
#define IDLE_US 20000 /* about as long as a command runs */

enum event { NOTHING, FLOOR, APPLY, REVERT, EVENTS };

static const char *const names[EVENTS] = {"nothing", "floor", "apply", "revert"};

struct gap_bench {
	struct vg_guest *guest;
	char object[PATH_MAX], address[32];
	struct series gap[EVENTS], pause[EVENTS];
};

static double verb_pause(const char *verb, const char *subject, pid_t pid)
{
	json_t *answers = bench_vgraft("%s '%s' --pid %d", verb, subject, pid);
	double pause = bench_number(json_array_get(answers, 0), "pause_us");

	json_decref(answers);
	return pause;
}

static double cause(const struct gap_bench *bench, enum event event)
{
	pid_t pid = vg_guest_pid(bench->guest);

	switch (event) {
	case FLOOR:
		return bench_floor_us(pid, bench->address);
	case APPLY:
		return verb_pause("apply", bench->object, pid);
	case REVERT:
		return verb_pause("revert", BUG, pid);
	default:
		usleep(IDLE_US); /* the measured thing itself, not a wait for something */
		return 0;
	}
}

static void measure(struct gap_bench *bench, enum event event)
{
	bench_must(vg_guest_reset_meters(bench->guest));
	series_add(&bench->pause[event], cause(bench, event));
	series_add(&bench->gap[event], (double)vg_guest_gap_ns(bench->guest, -1) / 1e3);
}

static void build(struct gap_bench *bench, struct vg_vulnerable_vmm *vmm)
{
	char folder[512];

	bench_must(vg_vulnerable_vmm_build(BUG, vmm));
	bench_folder("gap", folder);
	snprintf(bench->object, sizeof(bench->object), "%s/fix.vgp", folder);
	json_decref(bench_vgraft("build --source '%s' --diff '%s' --compdb '%s' --target '%s' "
				 "--name " BUG " -o '%s'",
				 vmm->source, vmm->fix, vmm->compdb, vmm->program, bench->object));
}

static void measure_guest(struct gap_bench *bench, const char *program, unsigned cpus)
{
	struct vg_guest_options options = {.vmm = program, .append = "mode=meter", .cpus = cpus};

	bench_must(vg_guest_start(&options, &bench->guest));
	bench_must(vg_guest_wait_running(bench->guest));
	bench_still_words(vg_guest_pid(bench->guest), bench->address);
	for (int i = 0; i < RUNS; i++)
		for (enum event event = NOTHING; event < EVENTS; event++)
			measure(bench, event);
	for (enum event event = NOTHING; event < EVENTS; event++) {
		printf("%6u %9s %12.1f %12.1f\n", cpus, names[event],
		       series_median(&bench->pause[event]), series_median(&bench->gap[event]));
		series_clear(&bench->pause[event]);
		series_clear(&bench->gap[event]);
	}
	vg_guest_stop(bench->guest);
}

int main(void)
{
	static struct gap_bench bench;
	struct vg_vulnerable_vmm vmm;

	if (vg_guest_why_not()) {
		printf("gap: not measured: %s\n", vg_guest_why_not());
		return 0;
	}
	build(&bench, &vmm);
	printf("longest gap that a guest sees, us, medians of %d turns on one VMM, beside the "
	       "pause of the VMM (load %.1f)\n",
	       RUNS, bench_load());
	printf("%6s %9s %12s %12s\n", "vCPUs", "event", "pause", "gap");
	measure_guest(&bench, vmm.program, 1);
	measure_guest(&bench, vmm.program, 2);
	return 0;
}
