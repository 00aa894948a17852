/* SPDX-License-Identifier: MIT */
/*
 * The main job, told as it happens:
 *
 *   1. a guest does checked disk I/O on a VMM that has a bug, and its stream never pauses
 *   2. a request among the others shows the bug from inside the guest
 *   3. the fix, a source diff, becomes a patch object
 *   4. the object is spliced into the live VMM between two outstanding requests: the bug is gone
 *   5. it is taken out again (the bug is back) and put in again (gone)
 *   6. the guest ends by itself: no request was lost, torn or repeated
 *
 * The last line is `demo: {…}`.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/command.h"
#include "tests/lib/guest.h"
#include "tests/lib/vulnerable_vmm.h"

#define BUG	      "blk-get-id"
#define MIN_REQUESTS  5000
#define BETWEEN_STEPS 1000 /* requests that must be verified before the story goes on */

struct demo {
	struct vg_vulnerable_vmm vmm;
	struct vg_guest *guest;
	char object[PATH_MAX];
	double build_ms, patch_bytes, pause_us, gap_us;
	bool reverted, reapplied;
	struct vg_report report; /* at the end */
};

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* Asks from inside the guest; the answer must be `expected`. */
static struct vg_error *probe(struct demo *demo, bool expected)
{
	const struct vg_report *report = vg_guest_report(demo->guest);
	bool shows;

	VG_TRY(vg_guest_probe(demo->guest, &shows));
	if (shows)
		tell("   guest: GET_ID gave me %lu bytes of the VMM's memory that are none of my "
		     "business",
		     (unsigned long)VG_REPORT_GET(report->exploit.leaked_bytes));
	else
		tell("   guest: GET_ID gave me the 20 bytes of the id and no more");
	if (shows != expected)
		return vg_error_new(VG_FAILED, "the bug %s, but should%s",
				    shows ? "shows" : "does not show", expected ? "" : " not");
	return NULL;
}

static struct vg_error *start(struct demo *demo)
{
	tell("1. A VMM with the bug %s (patches/vmm/%s) runs a guest; the guest checks every byte "
	     "of its disk I/O.",
	     BUG, BUG);
	VG_TRY(vg_vulnerable_vmm_build(BUG, &demo->vmm));
	VG_TRY(vg_guest_start(
		&(struct vg_guest_options){
			.vmm = demo->vmm.program,
			.append = "mode=io exploit=" BUG,
			.cpus = 2,
		},
		&demo->guest));
	VG_TRY(vg_guest_wait_verified(demo->guest, BETWEEN_STEPS));
	tell("   VMM: process %d, 2 vCPUs; %lu requests verified so far", vg_guest_pid(demo->guest),
	     (unsigned long)VG_REPORT_GET(vg_guest_report(demo->guest)->io.verified));
	tell("2. Among the other requests the guest makes a malicious one.");
	return probe(demo, true);
}

static struct vg_error *build(struct demo *demo)
{
	_cleanup_answer_ json_t *answer = NULL;

	snprintf(demo->object, sizeof(demo->object), "%s/%s.vgp", vg_guest_folder(demo->guest),
		 BUG);
	tell("3. The fix becomes a patch object.");
	VG_TRY(vg_command_must(
		(const char *const[]){"build", "--source", demo->vmm.source, "--diff",
				      demo->vmm.fix, "--compdb", demo->vmm.compdb, "--target",
				      demo->vmm.program, "--name", BUG, "-o", demo->object, NULL},
		&answer));
	demo->build_ms = vg_answer_number(answer, "ms");
	demo->patch_bytes = vg_answer_number(answer, "bytes");
	tell("   vgraft build: %.0f bytes in %.0f ms", demo->patch_bytes, demo->build_ms);
	return NULL;
}

static struct vg_error *verb(const struct demo *demo, const char *name, const char *subject,
			     const char *expected, double *pause_us)
{
	_cleanup_answer_ json_t *answer = NULL;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", vg_guest_pid(demo->guest));
	VG_TRY(vg_command_must((const char *const[]){name, subject, "--pid", pid, NULL}, &answer));
	if (strcmp(vg_answer_text(answer, "result"), expected) != 0)
		return vg_error_new(VG_FAILED, "vgraft %s answered %s, not %s", name,
				    vg_answer_text(answer, "result"), expected);
	*pause_us = vg_answer_number(answer, "pause_us");
	tell("   vgraft %s: %s, all threads stopped for %.0f us", name, expected, *pause_us);
	return NULL;
}

static struct vg_error *apply_under_load(struct demo *demo)
{
	tell("4. The object is spliced into the live VMM while requests are outstanding.");
	VG_TRY(vg_guest_reset_meters(demo->guest));
	VG_TRY(verb(demo, "apply", demo->object, "applied", &demo->pause_us));
	demo->gap_us = (double)vg_guest_gap_ns(demo->guest, -1) / 1e3;
	tell("   guest: the longest time that anybody took from me meanwhile was %.0f us",
	     demo->gap_us);
	VG_TRY(probe(demo, false));
	return vg_guest_wait_verified(demo->guest, BETWEEN_STEPS);
}

static struct vg_error *there_and_back(struct demo *demo)
{
	double pause_us;

	tell("5. Out again, and in again.");
	VG_TRY(verb(demo, "revert", BUG, "reverted", &pause_us));
	VG_TRY(probe(demo, true));
	demo->reverted = true;
	VG_TRY(vg_guest_wait_verified(demo->guest, BETWEEN_STEPS));
	VG_TRY(verb(demo, "apply", demo->object, "applied", &pause_us));
	VG_TRY(probe(demo, false));
	demo->reapplied = true;
	return vg_guest_wait_verified(demo->guest, MIN_REQUESTS);
}

static struct vg_error *finish(struct demo *demo)
{
	tell("6. The guest comes to its end.");
	VG_TRY(vg_guest_finish(demo->guest, &demo->report));
	tell("   guest: %lu requests verified, %lu lost, %lu corrupt, %lu repeated",
	     (unsigned long)demo->report.io.verified, (unsigned long)demo->report.io.lost,
	     (unsigned long)demo->report.io.corrupt, (unsigned long)demo->report.io.repeated);
	if (demo->report.io.verified < MIN_REQUESTS || demo->report.io.lost ||
	    demo->report.io.corrupt || demo->report.io.repeated || demo->report.io.refused)
		return vg_error_new(VG_FAILED, "the guest's stream is not whole");
	return NULL;
}

static struct vg_error *run(struct demo *demo)
{
	VG_TRY(start(demo));
	VG_TRY(build(demo));
	VG_TRY(apply_under_load(demo));
	VG_TRY(there_and_back(demo));
	return finish(demo);
}

static void print_result(const struct demo *demo, const char *result)
{
	const struct vg_report_io *io = &demo->report.io;
	uint64_t corrupt = io->corrupt + io->repeated + io->refused;
	json_t *object = json_pack(
		"{s:s, s:f, s:I, s:f, s:f, s:I, s:I, s:I, s:b, s:b}", "result", result, "build_ms",
		demo->build_ms, "patch_bytes", (json_int_t)demo->patch_bytes, "pause_us",
		demo->pause_us, "guest_gap_us", demo->gap_us, "requests", (json_int_t)io->verified,
		"lost", (json_int_t)io->lost, "corrupt", (json_int_t)corrupt, "reverted",
		demo->reverted, "reapplied", demo->reapplied);
	char *text = json_dumps(object, JSON_REAL_PRECISION(10));

	tell("demo: %s", text ? text : "{}");
	free(text);
	json_decref(object);
}

int main(void)
{
	struct demo demo = {0};
	struct vg_error *error = NULL;

	if (vg_guest_why_not())
		error = vg_error_new(VG_FAILED, "%s", vg_guest_why_not());
	else
		error = run(&demo);
	if (error)
		tell("   failed: %s", vg_error_text(error));
	int status = error ? EXIT_FAILURE : EXIT_SUCCESS;

	print_result(&demo, error ? "failed" : "ok");
	vg_guest_stop(demo.guest);
	vg_error_free(error);
	return status;
}
