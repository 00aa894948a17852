/* SPDX-License-Identifier: MIT */
/*
 * What the guest of Debian's QEMU sees of all fixes going in one after the other, and out again:
 * the longest gap between two looks at its clock on any vCPU, while each fix goes in. On the same
 * QEMU, in turn: nothing, the floor program (which stops all threads and looks at their stacks, no
 * more), the fixes in, the fixes out. The first row is what the machine itself takes from the
 * guest. Under TCG, and under KVM where the host can. Medians; nothing here passes or fails.
 * VGRAFT_BENCH_TURNS: another number of turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/lib/measure.h"
#include "tests/bench/lib/plot.h"
#include "tests/lib/qemu_patch.h"

#define TURNS	5
#define IDLE_US 50000 /* about as long as a command runs */

enum event { NOTHING, FLOOR, APPLY, REVERT, EVENTS };

static const char *const names[EVENTS] = {"nothing", "floor", "apply", "revert"};

struct gap_bench {
	struct vg_qemu *qemu;
	struct vg_qemu_patches patches; /* those that go in */
	char address[32];
	struct series gap[EVENTS][VG_QEMU_PATCHES_MAX]; /* of each patch */
	struct series pause[EVENTS], longest[EVENTS];	/* of each turn: of all patches */
};

static double gap_us(struct vg_qemu *qemu)
{
	char *line;
	double gap;

	bench_must(vg_qemu_command(qemu, "gap", "vg-gap", &line));
	gap = strtod(strchr(line, '=') + 1, NULL);
	free(line);
	return gap;
}

static double verb_pause(const char *verb, const char *subject, pid_t pid)
{
	json_t *answers = bench_vgraft("%s '%s' --pid %d --timeout 60", verb, subject, pid);
	double pause = bench_number(json_array_get(answers, 0), "pause_max_us");

	json_decref(answers);
	return pause;
}

static double cause(const struct gap_bench *bench, enum event event, size_t number)
{
	const struct vg_qemu_patch *patch = &bench->patches.all[number];
	pid_t pid = vg_qemu_pid(bench->qemu);

	switch (event) {
	case FLOOR:
		return bench_floor_us(pid, bench->address);
	case APPLY:
		return verb_pause("apply", patch->object, pid);
	case REVERT:
		return verb_pause("revert", patch->name, pid);
	default:
		usleep(IDLE_US); /* the measured thing itself, not a wait for something */
		return 0;
	}
}

static void measure(struct gap_bench *bench, enum event event)
{
	double longest_gap = 0, longest_pause = 0;

	for (size_t i = 0; i < bench->patches.count; i++) {
		gap_us(bench->qemu);
		double pause = cause(bench, event, i), gap = gap_us(bench->qemu);

		series_add(&bench->gap[event][i], gap);
		longest_gap = gap > longest_gap ? gap : longest_gap;
		longest_pause = pause > longest_pause ? pause : longest_pause;
	}
	series_add(&bench->longest[event], longest_gap);
	series_add(&bench->pause[event], longest_pause);
}

/* What is for a module that is not loaded is left out. */
static void find_patches(struct gap_bench *bench)
{
	struct vg_qemu_patches *patches = &bench->patches;
	size_t kept = 0;

	bench_must(vg_qemu_patches_find(patches));
	for (size_t i = 0; i < patches->count; i++) {
		bool applied;

		bench_must(vg_qemu_patch_apply_if_loaded(&patches->all[i], bench->qemu, &applied,
							 NULL));
		if (!applied)
			continue;
		bench_must(vg_qemu_patch_revert(&patches->all[i], bench->qemu, NULL));
		patches->all[kept++] = patches->all[i];
	}
	patches->count = kept;
}

static void draw(struct gap_bench *bench, const char *how)
{
	struct plot *plot = calloc(1, sizeof(*plot));
	char name[32];

	if (!plot)
		bench_die("out of memory for a plot");
	plot->title = "longest gap that the guest of Debian's QEMU sees";
	plot->x_label = "number of the fix that goes in";
	plot->y_label = "microseconds";
	plot->logarithmic = true;
	for (enum event event = NOTHING; event < EVENTS; event++) {
		struct plot_line *line = plot_add_line(plot, names[event]);

		for (size_t i = 0; i < bench->patches.count; i++)
			plot_add(line, (double)i + 1, series_median(&bench->gap[event][i]));
	}
	snprintf(name, sizeof(name), "qemu-gap-%s", how);
	plot_write(plot, name);
	free(plot);
}

static void print_event(struct gap_bench *bench, const char *how, enum event event)
{
	struct series all = {0};

	for (size_t i = 0; i < bench->patches.count; i++)
		series_add(&all, series_median(&bench->gap[event][i]));
	printf("%6s %8zu %9s %14.1f %14.1f %14.1f\n", how, bench->patches.count, names[event],
	       series_median(&bench->pause[event]), series_median(&all),
	       series_median(&bench->longest[event]));
	series_clear(&all);
}

static void forget(struct gap_bench *bench)
{
	for (enum event event = NOTHING; event < EVENTS; event++) {
		series_clear(&bench->pause[event]);
		series_clear(&bench->longest[event]);
		for (size_t i = 0; i < VG_QEMU_PATCHES_MAX; i++)
			series_clear(&bench->gap[event][i]);
	}
}

static void measure_guest(bool kvm, int turns)
{
	static struct gap_bench bench;
	const char *how = kvm ? "KVM" : "TCG";

	bench_must(
		vg_qemu_start(&(struct vg_qemu_options){.kvm = kvm, .leaves = true}, &bench.qemu));
	find_patches(&bench);
	bench_still_words(vg_qemu_pid(bench.qemu), bench.address);
	bench_must(vg_qemu_command(bench.qemu, "meter", "vg-meter started", NULL));
	for (int i = 0; i < turns; i++)
		for (enum event event = NOTHING; event < EVENTS; event++)
			measure(&bench, event);
	for (enum event event = NOTHING; event < EVENTS; event++)
		print_event(&bench, how, event);
	draw(&bench, how);
	vg_qemu_stop(bench.qemu);
	forget(&bench);
}

int main(void)
{
	const char *wanted = getenv("VGRAFT_BENCH_TURNS");
	int turns = wanted ? (int)strtol(wanted, NULL, 10) : TURNS;

	if (vg_qemu_why_not()) {
		printf("qemu_gap: not measured: %s\n", vg_qemu_why_not());
		return 0;
	}
	printf("all fixes one after the other: longest stop, and the longest gap that the guest "
	       "sees, us,\nmedians of %d turns on one QEMU (load %.1f)\n",
	       turns, bench_load());
	printf("%6s %8s %9s %14s %14s %14s\n", "", "fixes", "event", "longest stop", "gap of a fix",
	       "longest gap");
	measure_guest(false, turns > 0 ? turns : TURNS);
	if (vg_qemu_kvm_why_not())
		printf("   KVM: not measured: %s\n", vg_qemu_kvm_why_not());
	else
		measure_guest(true, turns > 0 ? turns : TURNS);
	return 0;
}
