/* SPDX-License-Identifier: MIT */
/*
 * The main job on a hypervisor that we did not write, told as it happens. Works without /dev/kvm:
 *
 *   1. the fix of CVE-2024-8354 becomes a patch for Debian's own qemu-system-x86_64, stripped, as
 *      the package has it
 *   2. a program in a guest of it aborts it
 *   3. the patch goes into a fresh one while its guest does checked disk and network I/O
 *   4. the same program is harmless, and the work goes on
 *   5. the patch is taken out and the guest's streams come to their end: no request was lost
 *   6. the program aborts it again; the disk is clean
 *
 * The last line is `demo-qemu: {…}`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/error.h"
#include "tests/lib/guest.h"
#include "tests/lib/qemu_patch.h"

#define BETWEEN_STEPS                                                                              \
	2000	   /* requests of each stream that must be verified before the story goes on */
#define ANSWERS 50 /* of the monitor */

struct demo {
	struct vg_qemu_patch patch;
	struct vg_qemu *qemu;
	double build_ms, match_ms, patch_bytes, pause_us;
	bool aborted_before, survived_after, aborted_reverted;
	struct vg_qemu_counts counts; /* at the end of the streams */
};

static double start_ms;

/* With the seconds since the demo began. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	va_list args;

	printf("%6.1f s  ", (vg_now_ms() - start_ms) / 1e3);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static struct vg_error *build(struct demo *demo)
{
	_cleanup_answer_ json_t *answer = NULL;

	tell("1. The fix of CVE-2024-8354 (" VG_QEMU_CVE ") becomes a patch for %s.",
	     vg_qemu_program());
	tell("   The source package is fetched and configured if it is not here yet; that takes "
	     "minutes, once.");
	VG_TRY(vg_qemu_patch_build_anew(VG_QEMU_CVE, &demo->patch, &answer));
	demo->build_ms = vg_answer_number(answer, "ms");
	demo->match_ms = vg_answer_number(answer, "match_ms");
	demo->patch_bytes = vg_answer_number(answer, "bytes");
	tell("   vgraft build: %.0f bytes in %.0f ms, after %.0f ms to make the source ready; the "
	     "old code was found in the stripped binary in %.0f ms.",
	     demo->patch_bytes, demo->build_ms, vg_answer_number(answer, "prepare_ms"),
	     demo->match_ms);
	return NULL;
}

static struct vg_error *boot(struct demo *demo)
{
	VG_TRY(vg_qemu_start(&(struct vg_qemu_options){.sandbox = true}, &demo->qemu));
	VG_TRY(vg_qemu_start_streams(demo->qemu));
	VG_TRY(vg_qemu_wait_verified(demo->qemu, BETWEEN_STEPS));
	tell("   QEMU is process %d, with -sandbox on: a Linux guest with 2 vCPUs works on disk "
	     "and network and checks every byte.",
	     (int)vg_qemu_pid(demo->qemu));
	return NULL;
}

/* *aborted must be `expected`. */
static struct vg_error *exploit(struct demo *demo, bool expected, bool *aborted)
{
	tell("   guest: sending a SETUP packet to endpoint 1 of the USB tablet …");
	VG_TRY(vg_qemu_exploit(demo->qemu, aborted));
	tell(*aborted ? "   QEMU: usb_ep_get: assertion failed; SIGABRT. The guest is gone."
		      : "   guest: the controller refused it and halted, as hardware does. I am "
			"alive.");
	if (*aborted != expected)
		return vg_error_new(VG_FAILED, "QEMU %s, but should%s",
				    *aborted ? "aborted" : "did not abort", expected ? "" : " not");
	return NULL;
}

static struct vg_error *abort_unpatched(struct demo *demo)
{
	tell("2. A program in a guest aborts the QEMU that runs it.");
	VG_TRY(boot(demo));
	VG_TRY(exploit(demo, true, &demo->aborted_before));
	vg_qemu_stop(demo->qemu);
	demo->qemu = NULL;
	return NULL;
}

static struct vg_error *apply_under_load(struct demo *demo)
{
	_cleanup_answer_ json_t *answer = NULL;

	tell("3. A fresh QEMU is patched while its guest works.");
	VG_TRY(boot(demo));
	VG_TRY(vg_qemu_patch_apply(&demo->patch, demo->qemu, &answer));
	demo->pause_us = vg_answer_number(answer, "pause_us");
	tell("   vgraft apply: applied; %.0f threads stopped for %.0f us, %.0f coroutines looked "
	     "at.",
	     vg_answer_number(answer, "threads"), demo->pause_us,
	     vg_answer_number(answer, "coroutines"));
	return NULL;
}

static struct vg_error *survive(struct demo *demo)
{
	bool aborted = true;

	tell("4. The same program again.");
	VG_TRY(exploit(demo, false, &aborted));
	demo->survived_after = !aborted;
	VG_TRY(vg_qemu_wait_verified(demo->qemu, BETWEEN_STEPS));
	VG_TRY(vg_qmp_wait_answers(vg_qemu_qmp(demo->qemu), ANSWERS));
	VG_TRY(vg_qemu_command(demo->qemu, "transfer", "vg-transfer done", NULL));
	tell("   Disk, network and monitor go on; well-formed USB transfers work.");
	return NULL;
}

static struct vg_error *revert(struct demo *demo)
{
	_cleanup_answer_ json_t *answer = NULL;

	tell("5. The patch is taken out, and the guest's streams come to their end.");
	VG_TRY(vg_qemu_patch_revert(&demo->patch, demo->qemu, &answer));
	tell("   vgraft revert: reverted, all threads stopped for %.0f us",
	     vg_answer_number(answer, "pause_us"));
	VG_TRY(vg_qemu_end_streams(demo->qemu, &demo->counts));
	tell("   guest: %lu disk requests and %lu frames verified, %lu lost, %lu corrupt; %lu "
	     "flushes",
	     demo->counts.disk, demo->counts.net, demo->counts.lost, demo->counts.corrupt,
	     demo->counts.flushes);
	return NULL;
}

static struct vg_error *abort_reverted(struct demo *demo)
{
	tell("6. Without the patch the program does what it did.");
	VG_TRY(exploit(demo, true, &demo->aborted_reverted));
	VG_TRY(vg_qemu_check_disk(demo->qemu));
	tell("   qemu-img check: no errors; every block holds what the guest wrote last.");
	return NULL;
}

static struct vg_error *run(struct demo *demo)
{
	if (vg_qemu_why_not())
		return vg_error_new(VG_FAILED, "%s", vg_qemu_why_not());
	VG_TRY(build(demo));
	VG_TRY(abort_unpatched(demo));
	VG_TRY(apply_under_load(demo));
	VG_TRY(survive(demo));
	VG_TRY(revert(demo));
	return abort_reverted(demo);
}

static void print_result(const struct demo *demo, const char *result)
{
	const struct vg_qemu_counts *counts = &demo->counts;
	json_t *object = json_pack(
		"{s:s, s:f, s:f, s:f, s:I, s:b, s:b, s:b, s:b}", "result", result, "build_ms",
		demo->build_ms, "match_ms", demo->match_ms, "pause_us", demo->pause_us,
		"patch_bytes", (json_int_t)demo->patch_bytes, "aborted_before",
		demo->aborted_before, "survived_after", demo->survived_after, "aborted_reverted",
		demo->aborted_reverted, "kvm", vg_guest_why_not() == NULL);

	json_object_set_new(object, "accel", json_string("tcg"));
	json_object_set_new(object, "requests", json_integer((json_int_t)counts->disk));
	json_object_set_new(object, "frames", json_integer((json_int_t)counts->net));
	json_object_set_new(object, "lost", json_integer((json_int_t)counts->lost));
	json_object_set_new(object, "corrupt", json_integer((json_int_t)counts->corrupt));

	char *text = json_dumps(object, JSON_REAL_PRECISION(10));

	printf("demo-qemu: %s\n", text ? text : "{}");
	free(text);
	json_decref(object);
}

int main(void)
{
	struct demo demo = {0};

	start_ms = vg_now_ms();

	struct vg_error *error = run(&demo);
	int status = error ? EXIT_FAILURE : EXIT_SUCCESS;

	if (error)
		tell("   failed: %s", vg_error_text(error));
	print_result(&demo, error ? "failed" : "ok");
	vg_qemu_stop(demo.qemu);
	vg_error_free(error);
	return status;
}
