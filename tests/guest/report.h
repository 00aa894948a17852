/* SPDX-License-Identifier: MIT */
/*
 * The shared page: how the test guest and whoever runs it talk without a device between them.
 *
 * One page of guest RAM at a fixed guest physical address. The VMM keeps guest RAM in a file, the
 * harness maps that file, and both sides see the same bytes at once. Every field is written by one
 * side only, is naturally aligned and at most 64 bits wide, so that a single load or store is
 * whole; use VG_REPORT_GET() and VG_REPORT_SET(). Counters only grow, except where a reset is said
 * to clear them. `magic` is written last, after everything else is valid.
 *
 * Times are kept in TSC cycles and in nanoseconds, converted with `tsc_khz`.
 */
#ifndef TESTS_GUEST_REPORT_H
#define TESTS_GUEST_REPORT_H

#include <stdint.h>

#define VG_REPORT_ADDRESS 0x200000ULL /* guest physical, hence also the offset in the RAM file */
#define VG_REPORT_SIZE	  4096ULL
#define VG_REPORT_MAGIC	  0x74726f7065726776ULL /* "vgreport" */
#define VG_REPORT_VERSION 1

#define VG_REPORT_CPUS	  4
#define VG_REPORT_BUCKETS 64

#define VG_REPORT_GET(field)	    __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define VG_REPORT_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

enum vg_report_state {
	VG_STATE_BOOTING = 0,
	VG_STATE_RUNNING = 1, /* the mode's own work is under way on every vCPU that takes part */
	VG_STATE_DONE = 2,    /* finished; every check held */
	VG_STATE_FAILED = 3,  /* finished; the TAP on the serial line says what did not hold */
	VG_STATE_FAULT = 4,   /* an exception that the guest did not expect */
};

enum vg_report_verdict {
	VG_VERDICT_NONE = 0,
	VG_VERDICT_SHOWS = 1,  /* the bug is there */
	VG_VERDICT_ABSENT = 2, /* the device refused what the exploit asked for */
};

/* Written by the harness, read by the guest. */
struct vg_report_control {
	uint64_t stop;	/* not 0: finish the outstanding requests, report, reset the machine */
	uint64_t reset; /* a new value: clear the gap and latency maxima and the histograms */
	uint64_t probe; /* a new value: run the exploit once in the midst of the disk stream */
};

/* What happened to a request, for the first one that went wrong. */
enum vg_report_fault {
	VG_FAULT_NONE = 0,
	VG_FAULT_LOST = 1,     /* no answer, or an answer and nothing done */
	VG_FAULT_CORRUPT = 2,  /* torn, misdirected or written beyond the buffer */
	VG_FAULT_REPEATED = 3, /* answered twice, or an older write came back after a newer one */
	VG_FAULT_REFUSED = 4,  /* the device answered with an error status or a wrong length */
};

/* The disk stream. All counts are of virtio-blk requests. */
struct vg_report_io {
	uint64_t submitted;
	uint64_t completed;
	uint64_t verified; /* reads whose bytes were right, writes that were read back right */
	uint64_t flushes;  /* flushes completed; not in `verified`, they have nothing to look at */
	uint64_t lost;
	uint64_t corrupt;
	uint64_t repeated;
	uint64_t refused;
	uint64_t outstanding;
	uint64_t batches;	     /* notifications: each covers all requests queued before it */
	uint64_t interrupts;	     /* completions signalled by an interrupt */
	uint64_t max_latency_cycles; /* cleared by a reset */
	uint64_t max_latency_ns;     /* cleared by a reset */
	uint64_t fault;		     /* enum vg_report_fault of the first bad request, and of it: */
	uint64_t fault_block;
	uint64_t fault_expected; /* sequence number that should have been found */
	uint64_t fault_found;
};

/*
 * One per vCPU: the time between two turns of a loop that does nothing but look at the TSC, so
 * that a long gap is time that somebody took from the vCPU. The vCPU that does I/O keeps one as
 * well; its turns hold the work of a turn and the wait for an interrupt.
 * buckets[i] counts the gaps of 2^i to 2^(i+1)-1 cycles. All is cleared by a reset.
 */
struct vg_report_meter {
	uint64_t resets; /* the last value of control.reset that this vCPU acted on */
	uint64_t turns;
	uint64_t max_gap_cycles;
	uint64_t max_gap_ns;
	uint64_t max_gap_at; /* TSC at the end of that gap */
	uint64_t buckets[VG_REPORT_BUCKETS];
};

/* What an exploit found. */
struct vg_report_exploit {
	uint64_t probes;   /* the last value of control.probe that is answered by what follows */
	uint64_t verdict;  /* enum vg_report_verdict */
	uint64_t attempts; /* counts up before each attempt: with a hang or crash, the last seen */
	uint64_t leaked_bytes; /* bytes in the guest's hands that the guest never wrote */
	uint8_t sample[64];    /* the first of them */
};

struct vg_report {
	uint64_t magic;
	uint32_t version;
	uint32_t size;	/* sizeof(struct vg_report) */
	uint64_t state; /* enum vg_report_state */
	uint64_t cpus;	/* vCPUs that run */
	uint64_t tsc_khz;
	uint64_t fault_vector; /* with VG_STATE_FAULT */
	uint64_t fault_rip;
	uint64_t fault_address;
	struct vg_report_control control;
	struct vg_report_io io;
	struct vg_report_exploit exploit;
	struct vg_report_meter meters[VG_REPORT_CPUS];
};

_Static_assert(sizeof(struct vg_report) <= VG_REPORT_SIZE, "the report outgrew its page");

#endif
