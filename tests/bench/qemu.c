/* SPDX-License-Identifier: MIT */
/*
 * The pause of Debian's own QEMU beside its floor: with the two threads of one that has no machine,
 * and with those of a guest under TCG whose streams run (main, RCU, two vCPUs, an iothread, pool
 * workers), among 64 and 783 threads. On each QEMU the floor program and an apply or revert take
 * turns, so that a machine that is busy for a while is busy for both. Medians; nothing here passes
 * or fails. VGRAFT_BENCH_TURNS: another number of turns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/lib/measure.h"
#include "tests/bench/lib/plot.h"
#include "tests/lib/qemu_patch.h"

#define TURNS	15

struct size_result {
	struct series floor, apply, revert, inject, threads, coroutines;
};

static struct plot plot = {.title = "pause of Debian's QEMU beside its floor",
			   .x_label = "threads",
			   .y_label = "microseconds",
			   .logarithmic = true};

static void must(struct vg_error *error)
{
	if (error)
		bench_die("%s", vg_error_text(error));
}

static void add_iothreads(struct vg_qemu *qemu, int count)
{
	char name[32];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "more%d", i);
		must(vg_qmp_ask(vg_qemu_qmp(qemu), "object-add",
				json_pack("{s:s, s:s}", "qom-type", "iothread", "id", name), NULL));
	}
}

static void measure(struct vg_qemu *qemu, const struct vg_qemu_patch *patch, int turns,
		    struct size_result *result)
{
	char address[32];

	bench_still_words(vg_qemu_pid(qemu), address);
	for (int i = 0; i < turns; i++) {
		json_t *in, *out;
		series_add(&result->floor, bench_floor_us(vg_qemu_pid(qemu), address));
		must(vg_qemu_patch_apply(patch, qemu, &in));
		series_add(&result->apply, bench_number(in, "pause_us"));
		series_add(&result->floor, bench_floor_us(vg_qemu_pid(qemu), address));
		must(vg_qemu_patch_revert(patch, qemu, &out));
		series_add(&result->revert, bench_number(out, "pause_us"));
		printf("  floor %.0f apply %.0f (stops %g max %.0f co %g thr %g inj %g) revert %.0f (%g)\n", result->floor.values[result->floor.count-1], bench_number(in,"pause_us"),
			bench_number(in, "stops"), bench_number(in,"pause_max_us"), bench_number(in, "coroutines"), bench_number(in,"threads"),bench_number(in, "inject_us"), bench_number(out,"pause_us"), bench_number(out, "stops"));
		json_decref(in);
		json_decref(out);
	}
}

int main(void)
{
	struct vg_qemu_patch patch;
	struct size_result r = {0};
	struct vg_qemu *qemu;
	int more = getenv("MORE") ? atoi(getenv("MORE")) : 0;
	double t = bench_now_ms();

	must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	must(vg_qemu_start(&(struct vg_qemu_options){0}, &qemu));
	printf("boot %.0f\n", bench_now_ms() - t);
	must(vg_qemu_start_streams(qemu));
	must(vg_qemu_wait_verified(qemu, 300));
	add_iothreads(qemu, more);
	measure(qemu, &patch, 10, &r);
	printf("%g %g %g\n", series_median(&r.floor), series_median(&r.apply), series_median(&r.revert));
	if (getenv("HOLD")) { printf("pid %d\n", vg_qemu_pid(qemu)); fflush(stdout); getchar(); }
	vg_qemu_stop(qemu);
	(void)plot;
	return 0;
}
