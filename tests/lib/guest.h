/* SPDX-License-Identifier: MIT */
/*
 * A guest on vgraft-vmm, for the live tests: a process, a disk of its own, and with the in-tree
 * test guest the shared page of tests/guest/report.h, seen while the guest runs.
 *
 *   struct vg_guest *guest;
 *   vg_guest_start(&(struct vg_guest_options){ .append = "mode=io wait=poll" }, &guest);
 *   vg_guest_wait_verified(guest, 5000);
 *   … vg_guest_pid(guest), vg_guest_report(guest)->io.verified …
 *   vg_guest_finish(guest, &counters);   (the guest ends by itself and everything must hold)
 *   vg_guest_stop(guest);                (always: kills what still runs, removes all files)
 *
 * Every wait has a hang limit and fails with what the guest and the VMM said.
 */
#ifndef TESTS_LIB_GUEST_H
#define TESTS_LIB_GUEST_H

#include <stdint.h>

#include "tests/guest/report.h"
#include "tests/lib/process.h"

struct vg_guest_options {
	const char *vmm;       /* NULL: vgraft-vmm of the build folder that the test is in */
	const char *kernel;    /* NULL: the test guest */
	const char *initrd;    /* NULL: none */
	const char *boot;      /* protocol, as --boot takes it; NULL: auto */
	const char *append;    /* the guest's command line; with the test guest `cpus=` is added */
	const char *disk;      /* NULL: a new, empty one */
	unsigned int disk_mib; /* size of a new disk; 0: 16 */
	unsigned int memory_mib; /* 0: 64 */
	unsigned int cpus;	 /* 0: 1 */
};

struct vg_guest;

/* NULL where live tests can run; else the sentence that says why they are skipped. */
const char *vg_guest_why_not(void);

/* The build folder that the running test is in (VGRAFT_BUILD, else found from the program). */
const char *vg_build_folder(void);

/* Starts it; returns when the VMM has set up the machine. Free with vg_guest_stop(). */
struct vg_error *vg_guest_start(const struct vg_guest_options *options,
				struct vg_guest **out) VG_MUST_CHECK;

pid_t vg_guest_pid(const struct vg_guest *guest);
struct vg_process *vg_guest_process(struct vg_guest *guest);
/* The live shared page; valid until vg_guest_stop(), also after the VMM has ended. */
struct vg_report *vg_guest_report(const struct vg_guest *guest);
const char *vg_guest_disk(const struct vg_guest *guest);
/* A folder of the guest's own that is removed with it. */
const char *vg_guest_folder(const struct vg_guest *guest);
/* All that the serial line has said until now. */
const char *vg_guest_serial(const struct vg_guest *guest);

/* Waits until the predicate holds for the shared page. `what` completes "waiting for …". */
struct vg_error *vg_guest_wait(struct vg_guest *guest,
			       bool (*predicate)(const struct vg_report *report, void *argument),
			       void *argument, const char *what) VG_MUST_CHECK;
/* Until the guest's mode is at work. */
struct vg_error *vg_guest_wait_running(struct vg_guest *guest) VG_MUST_CHECK;
/* Until `more` requests have been verified beyond those that are by now. */
struct vg_error *vg_guest_wait_verified(struct vg_guest *guest, uint64_t more) VG_MUST_CHECK;
struct vg_error *vg_guest_wait_line(struct vg_guest *guest, const char *text) VG_MUST_CHECK;

/* Clears the gap and latency maxima; returns when every meter has done so. */
struct vg_error *vg_guest_reset_meters(struct vg_guest *guest) VG_MUST_CHECK;
/* The longest gap since the last reset that any vCPU's meter saw, in ns; `cpu` < 0 for all. */
uint64_t vg_guest_gap_ns(const struct vg_guest *guest, int cpu);

/*
 * Has the guest of mode=io run its exploit once among the outstanding requests; *shows is whether
 * the bug is there.
 */
struct vg_error *vg_guest_probe(struct vg_guest *guest, bool *shows) VG_MUST_CHECK;

/* Tells the guest to come to an end. */
void vg_guest_ask_to_stop(struct vg_guest *guest);
/*
 * Asks it to stop, waits for the VMM's end. An error unless the VMM exits with 0 and the guest's
 * TAP says that every check held. *out, if wanted, is a copy of the last counters.
 */
struct vg_error *vg_guest_finish(struct vg_guest *guest, struct vg_report *out) VG_MUST_CHECK;
/* As above, for a guest that ends by itself. */
struct vg_error *vg_guest_wait_end(struct vg_guest *guest, struct vg_report *out) VG_MUST_CHECK;

/* Kills what still runs and removes every file. NULL is allowed. */
void vg_guest_stop(struct vg_guest *guest);

static inline void vg_guest_cleanup(struct vg_guest **guest)
{
	vg_guest_stop(*guest);
}

#define _cleanup_guest_ __attribute__((cleanup(vg_guest_cleanup)))

/* For tests: fails the running Check test with the error's sentence. */
#define vg_must(call)                                                                              \
	do {                                                                                       \
		struct vg_error *vg_must_error_ = (call);                                          \
		if (vg_must_error_)                                                                \
			ck_abort_msg("%s: %s", #call, vg_error_text(vg_must_error_));              \
	} while (0)

#endif
