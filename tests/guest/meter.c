// SPDX-License-Identifier: MIT
#include "tests/guest/user.h"

#define TURNS_PER_LOOK 4096 /* how often the loop looks whether it should reset or stop */

static unsigned int bucket_of(uint64_t cycles)
{
	return cycles ? 63 - __builtin_clzll(cycles) : 0;
}

static void clear(struct meter *meter)
{
	struct vg_report_meter *to = meter->to;

	VG_REPORT_SET(to->turns, 0);
	VG_REPORT_SET(to->max_gap_cycles, 0);
	VG_REPORT_SET(to->max_gap_ns, 0);
	VG_REPORT_SET(to->max_gap_at, 0);
	for (unsigned int i = 0; i < VG_REPORT_BUCKETS; i++)
		VG_REPORT_SET(to->buckets[i], 0);
	meter->last = now();
}

void meter_start(struct meter *meter, unsigned int cpu)
{
	meter->to = &report()->meters[cpu];
	clear(meter);
}

static void note_maximum(struct vg_report_meter *to, uint64_t gap, uint64_t at)
{
	VG_REPORT_SET(to->max_gap_cycles, gap);
	VG_REPORT_SET(to->max_gap_ns, to_ns(gap));
	VG_REPORT_SET(to->max_gap_at, at);
}

void meter_turn(struct meter *meter)
{
	struct vg_report_meter *to = meter->to;
	uint64_t at = now();
	uint64_t gap = at - meter->last;

	meter->last = at;
	to->turns++;
	to->buckets[bucket_of(gap)]++;
	if (gap > to->max_gap_cycles)
		note_maximum(to, gap, at);
}

bool meter_reset_if_asked(struct meter *meter)
{
	uint64_t asked = VG_REPORT_GET(report()->control.reset);

	if (asked == meter->to->resets)
		return false;
	clear(meter);
	VG_REPORT_SET(meter->to->resets, asked);
	return true;
}

void meter_run(unsigned int cpu)
{
	struct meter meter;

	meter_start(&meter, cpu);
	while (!must_stop()) {
		meter_reset_if_asked(&meter);
		for (int i = 0; i < TURNS_PER_LOOK; i++)
			meter_turn(&meter);
	}
}
