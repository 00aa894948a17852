/* SPDX-License-Identifier: MIT */
/*
 * What the first patch for Debian's QEMU costs on a machine that has never made one, and what the
 * next ones cost: the first prepares the source package (download or copy, unpack, configure, make
 * headers), all compile the units that their diff reaches and find them in the stripped program.
 * The first is measured once, the next ones once for each fix; medians. Nothing here passes or
 * fails. The work folder, 3 GB, is removed at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/measure.h"
#include "tests/lib/guest.h"

#define FIRST "CVE-2024-8354"

/* Units of several sizes, none of which the first has compiled. */
static const char *const next[] = {"usb-net-address",  "audio-no-voice", "CVE-2025-12464",
				   "ram-writeback",    "drive-context",	 "x509-key-usage",
				   "tls-channel-close"};

#define NEXT (sizeof(next) / sizeof(next[0]))

static char folder[512];

struct cost {
	double wall_s, prepare_s, build_s, match_ms;
};

static struct cost build(const char *name)
{
	double start = bench_now_ms();
	json_t *answers = bench_vgraft("build --manifest 'patches/qemu/%s/manifest' "
				       "--work '%s/packages' -o '%s/%s.vgp' 2> '%s/%s.log'",
				       name, folder, folder, name, folder, name);
	const json_t *answer = json_array_get(answers, 0);
	struct cost cost = {
		.wall_s = (bench_now_ms() - start) / 1e3,
		.prepare_s = bench_number(answer, "prepare_ms") / 1e3,
		.build_s = bench_number(answer, "ms") / 1e3,
		.match_ms = bench_number(answer, "match_ms"),
	};

	json_decref(answers);
	return cost;
}

static void print_cost(const char *name, const struct cost *cost)
{
	printf("%-20s %9.1f %9.1f %9.1f %9.0f\n", name, cost->wall_s, cost->prepare_s,
	       cost->build_s, cost->match_ms);
	fflush(stdout);
}

static void print_medians(struct cost costs[NEXT])
{
	struct series wall = {0}, prepare = {0}, building = {0}, match = {0};
	struct cost median;

	for (size_t i = 0; i < NEXT; i++) {
		series_add(&wall, costs[i].wall_s);
		series_add(&prepare, costs[i].prepare_s);
		series_add(&building, costs[i].build_s);
		series_add(&match, costs[i].match_ms);
	}
	median = (struct cost){series_median(&wall), series_median(&prepare),
			       series_median(&building), series_median(&match)};
	print_cost("next, median", &median);
	series_clear(&wall);
	series_clear(&prepare);
	series_clear(&building);
	series_clear(&match);
}

int main(void)
{
	struct cost first, costs[NEXT];

	if (getenv("VGRAFT_BENCH_NO_BUILD")) {
		printf("qemu_build: not measured: VGRAFT_BENCH_NO_BUILD is set\n");
		return 0;
	}
	bench_folder("qemu-build", folder);
	printf("vgraft build for Debian's QEMU, in an empty work folder, packages from %s "
	       "(load %.1f)\n",
	       getenv("VGRAFT_PACKAGE_CACHE") ? "VGRAFT_PACKAGE_CACHE, the rest from apt" : "apt",
	       bench_load());
	printf("%-20s %9s %9s %9s %9s\n", "", "s", "prepare s", "build s", "match ms");
	first = build(FIRST);
	print_cost("first, " FIRST, &first);
	for (size_t i = 0; i < NEXT; i++) {
		costs[i] = build(next[i]);
		print_cost(next[i], &costs[i]);
	}
	print_medians(costs);
	bench_run("rm -rf '%s'", folder);
	return 0;
}
