/* SPDX-License-Identifier: MIT */
/*
 * The pause of Debian's own QEMU beside its floor: with the two threads of one that has no machine,
 * with those of a guest under TCG whose streams run (main, RCU, two vCPUs, an iothread, pool
 * workers), and that guest's among 64 and 783. On each QEMU the floor program and an apply or
 * revert take turns, so that a machine that is busy for a while is busy for both; several fresh
 * ones of each size. Medians; nothing here passes or fails. VGRAFT_BENCH_TURNS: another number of
 * turns on each QEMU.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/measure.h"
#include "tests/bench/lib/plot.h"
#include "tests/lib/qemu_patch.h"

#define FRESH	      3 /* of each size */
#define TURNS	      5 /* on each of them */
#define OTHER_THREADS 5 /* main, RCU, two vCPUs, one iothread */
#define VERIFIED      100

/* 0: no machine; 1: the guest as it is; else iothreads are added. */
static const int sizes[] = {0, 1, 64, 783};

struct size_result {
	struct series threads, floor, apply, revert, inject, coroutines, stops;
};

static struct plot plot = {.title = "pause of Debian's QEMU beside its floor",
			   .x_label = "threads",
			   .y_label = "microseconds",
			   .logarithmic = true};
static struct plot_line *floor_line, *apply_line, *revert_line, *aim_line;

static struct vg_qemu_patch patch;

static int turns(void)
{
	const char *wanted = getenv("VGRAFT_BENCH_TURNS");
	int count = wanted ? (int)strtol(wanted, NULL, 10) : TURNS;

	return count > 0 ? count : TURNS;
}

static json_t *measure_verb(const char *verb, const char *subject, pid_t pid, struct series *pause,
			    struct size_result *result)
{
	json_t *answers = bench_vgraft("%s '%s' --pid %d --timeout 60", verb, subject, pid);
	const json_t *answer = json_array_get(answers, 0);

	series_add(pause, bench_number(answer, "pause_max_us"));
	series_add(&result->inject, bench_number(answer, "inject_us"));
	series_add(&result->stops, bench_number(answer, "stops"));
	return answers;
}

static void measure_target(pid_t pid, struct size_result *result)
{
	char address[32];

	bench_still_words(pid, address);
	for (int i = 0; i < turns(); i++) {
		json_t *in, *out;

		series_add(&result->floor, bench_floor_us(pid, address));
		in = measure_verb("apply", patch.object, pid, &result->apply, result);
		series_add(&result->floor, bench_floor_us(pid, address));
		out = measure_verb("revert", patch.name, pid, &result->revert, result);
		series_add(&result->threads, bench_number(json_array_get(in, 0), "threads"));
		series_add(&result->coroutines, bench_number(json_array_get(in, 0), "coroutines"));
		json_decref(in);
		json_decref(out);
	}
}

/* Main and RCU: what every QEMU has. It is there when its monitor is. */
static void measure_without_machine(struct size_result *result)
{
	struct vg_process *process;

	bench_must(
		vg_process_start((const char *const[]){vg_qemu_program(), "-M", "none",
						       "-nodefaults", "-no-user-config", "-display",
						       "none", "-monitor", "stdio", NULL},
				 &process));
	bench_must(vg_process_wait_text(process, &process->output, 0, "(qemu)", NULL));
	measure_target(process->pid, result);
	vg_process_free(process);
}

static void add_iothreads(const struct vg_qemu *qemu, int count)
{
	char name[32];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "more%d", i);
		bench_must(vg_qmp_ask(vg_qemu_qmp(qemu), "object-add",
				      json_pack("{s:s, s:s}", "qom-type", "iothread", "id", name),
				      NULL));
	}
}

static void measure_guest(int threads, struct size_result *result)
{
	struct vg_qemu *qemu;

	bench_must(vg_qemu_start(&(struct vg_qemu_options){.leaves = true}, &qemu));
	add_iothreads(qemu, threads - OTHER_THREADS);
	bench_must(vg_qemu_start_streams(qemu));
	bench_must(vg_qemu_wait_verified(qemu, VERIFIED));
	measure_target(vg_qemu_pid(qemu), result);
	bench_must(vg_qemu_wait_verified(qemu, VERIFIED));
	vg_qemu_stop(qemu);
}

static void print_size(struct size_result *result)
{
	double floor_us = series_median(&result->floor), apply_us = series_median(&result->apply);
	double revert_us = series_median(&result->revert), aim_us = 1.5 * floor_us + 100;
	double threads = series_median(&result->threads);

	printf("%8.0f %11.0f %9.1f %9.1f %9.1f %11.2f %14.1f %9.1f %6.0f\n", threads,
	       series_median(&result->coroutines), floor_us, apply_us, revert_us,
	       apply_us / floor_us, aim_us, series_median(&result->inject),
	       series_median(&result->stops));
	fflush(stdout);
	plot_add(floor_line, threads, floor_us);
	plot_add(apply_line, threads, apply_us);
	plot_add(revert_line, threads, revert_us);
	plot_add(aim_line, threads, aim_us);
}

static void measure_size(int threads)
{
	struct size_result result = {0};

	for (int i = 0; i < FRESH; i++) {
		if (threads)
			measure_guest(threads, &result);
		else
			measure_without_machine(&result);
	}
	print_size(&result);
	series_clear(&result.threads);
	series_clear(&result.floor);
	series_clear(&result.apply);
	series_clear(&result.revert);
	series_clear(&result.inject);
	series_clear(&result.coroutines);
	series_clear(&result.stops);
}

static void add_lines(void)
{
	floor_line = plot_add_line(&plot, "floor");
	apply_line = plot_add_line(&plot, "apply, longest stop");
	revert_line = plot_add_line(&plot, "revert, longest stop");
	aim_line = plot_add_line(&plot, "1.5 floor + 100");
}

int main(void)
{
	if (vg_qemu_why_not()) {
		printf("qemu: not measured: %s\n", vg_qemu_why_not());
		return 0;
	}
	bench_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	add_lines();
	printf("longest stop of Debian's QEMU, us, medians of %d turns on each of %d fresh ones "
	       "(load %.1f)\n",
	       turns(), FRESH, bench_load());
	printf("%8s %11s %9s %9s %9s %11s %14s %9s %6s\n", "threads", "coroutines", "floor",
	       "apply", "revert", "apply/floor", "1.5*floor+100", "injected", "stops");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure_size(sizes[i]);
	plot_write(&plot, "qemu");
	return 0;
}
