// SPDX-License-Identifier: MIT
/*
 * CPL3: the mode from the command line.
 *
 *   mode=io        checked disk I/O on CPU 0, the meter on the others
 *   mode=meter     the meter on every CPU
 *   mode=boot      start every CPU, say so, reset
 *   exploit=NAME   without a mode: poke a device for one bug; with mode=io: what a probe runs
 *   on_probe=1     with exploit=NAME alone: begin when the harness asks for a probe
 *   cpus=N         CPUs to start (1 to 4)
 *   hold=1         after the work is done, wait for the harness before the reset
 */
#include "tests/guest/kernel.h"
#include "tests/guest/user.h"

#define CPU_START_SECONDS 30

static char mode[16], exploit[32];
static uint32_t released; /* CPU 0 has read the options: the others may look at them */

uint64_t to_ns(uint64_t cycles)
{
	uint64_t khz = report()->tsc_khz, high, low = cycles;

	if (!khz)
		return 0;
	asm("mulq %2" : "+a"(low), "=d"(high) : "r"(1000000ULL));
	if (high >= khz)
		return UINT64_MAX;
	asm("divq %2" : "+a"(low), "+d"(high) : "r"(khz));
	return low;
}

uint64_t from_seconds(uint64_t seconds)
{
	uint64_t khz = report()->tsc_khz;

	return seconds * 1000 * (khz ? khz : 4000000);
}

/* An AP that no mode gives work to sleeps for good: it must not cost a host CPU. */
static void run_other_cpu(unsigned int cpu)
{
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		relax();
	if (text_equal(mode, "io") || text_equal(mode, "meter"))
		meter_run(cpu);
	kernel_call(CALL_PARK, 0, 0);
}

static bool start_other_cpus(uint64_t count)
{
	uint64_t deadline = now() + from_seconds(CPU_START_SECONDS);

	if (count > 1)
		kernel_call(CALL_START_CPUS, 0, 0);
	while (__atomic_load_n(&cpus_started, __ATOMIC_ACQUIRE) < count && now() < deadline)
		relax();
	return __atomic_load_n(&cpus_started, __ATOMIC_ACQUIRE) >= count;
}

static void announce(uint64_t cpus)
{
	struct vg_report *page = report();

	page->version = VG_REPORT_VERSION;
	page->size = sizeof(*page);
	page->cpus = cpus;
	VG_REPORT_SET(page->state, VG_STATE_RUNNING);
	VG_REPORT_SET(page->magic, VG_REPORT_MAGIC);
	print("# %u CPUs, TSC %u kHz\n", cpus, page->tsc_khz);
}

static void hold(void)
{
	while (option_number("hold", 0) && !must_stop())
		relax();
}

static void run_first_cpu(void)
{
	uint64_t cpus = option_number("cpus", 1);

	report()->tsc_khz = kernel_tsc_khz;
	option_text("mode", mode, sizeof(mode));
	option_text("exploit", exploit, sizeof(exploit));
	tap_start();
	if (cpus < 1 || cpus > MAX_CPUS)
		tap_bail_out("cpus= must be 1 to 4");
	if (!start_other_cpus(cpus))
		tap_bail_out("a CPU did not answer INIT and SIPI");
	announce(cpus);
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	tap(true, "every CPU runs");
	if (text_equal(mode, "io"))
		io_run();
	else if (text_equal(mode, "meter"))
		meter_run(0);
	else if (exploit[0])
		exploit_run(exploit);
	else if (!text_equal(mode, "boot"))
		tap_bail_out("mode= must be io, meter or boot, or exploit= a name");
	hold();
	tap_finish();
}

void user_start(uint64_t cpu)
{
	if (cpu == 0)
		run_first_cpu();
	run_other_cpu(cpu);
}
