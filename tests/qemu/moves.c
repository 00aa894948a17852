/* SPDX-License-Identifier: MIT */
/*
 * What else happens to a QEMU in its life happens to a patched one too: its guest moves to another
 * QEMU and back, its state is saved and loaded, devices come and go, and threads are many.
 */
#include <stdio.h>
#include <string.h>

#include "tests/lib/guest.h"
#include "tests/lib/qemu_migrate.h"
#include "tests/lib/qemu_patch.h"
#include "tests/lib/suite.h"

#define BETWEEN_STEPS 300 /* requests of each stream */
#define THREADS	      783 /* at least */
#define OTHER_THREADS 4	  /* main, RCU, two vCPUs */

static void expect_refused_exploit(struct vg_qemu *qemu)
{
	bool aborted;

	vg_must(vg_qemu_exploit(qemu, &aborted));
	ck_assert_msg(!aborted, "the exploit ended the patched QEMU");
}

/* Streams to their end, machine off, disk read. */
static void end_whole(struct vg_qemu *qemu)
{
	struct vg_qemu_counts counts;

	vg_must(vg_qemu_end_streams(qemu, &counts));
	vg_must(vg_qemu_power_off(qemu));
	vg_must(vg_qemu_check_disk(qemu));
}

/* Patched, unpatched, patched while it waited: the streams never end. */
START_TEST(the_guest_of_a_patched_qemu_moves_to_an_unpatched_one_and_back)
{
	_cleanup_qemu_ struct vg_qemu *first = NULL, *second = NULL, *third = NULL;
	struct vg_qemu_patch patch;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	vg_must(vg_qemu_start(&(struct vg_qemu_options){.leaves = true}, &first));
	vg_must(vg_qemu_start_streams(first));
	vg_must(vg_qemu_patch_apply(&patch, first, NULL));
	expect_refused_exploit(first);

	vg_must(vg_qemu_start(&(struct vg_qemu_options){.incoming = first}, &second));
	vg_must(vg_qemu_wait_verified(first, BETWEEN_STEPS));
	vg_must(vg_qemu_migrate(first, second));
	vg_must(vg_qemu_wait_verified(second, BETWEEN_STEPS));

	vg_must(vg_qemu_start(&(struct vg_qemu_options){.incoming = first}, &third));
	vg_must(vg_qemu_patch_apply(&patch, third, NULL));
	vg_must(vg_qemu_migrate(second, third));
	vg_must(vg_qmp_keep_asking(vg_qemu_qmp(third)));
	vg_must(vg_qemu_wait_verified(third, BETWEEN_STEPS));
	expect_refused_exploit(third);
	vg_must(vg_qemu_command(third, "transfer", "vg-transfer done", NULL));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(third), 10));
	vg_must(vg_qemu_patch_revert(&patch, third, NULL));
	end_whole(third);
}
END_TEST

/* The patch is no part of the machine's state: what is loaded is patched as what was saved. */
START_TEST(a_patched_qemu_saves_and_loads_its_machine)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	struct vg_qemu_counts counts;
	struct vg_qemu_patch patch;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	vg_must(vg_qemu_start(&(struct vg_qemu_options){.leaves = true}, &qemu));
	vg_must(vg_qemu_snapshot_save(qemu, "unpatched"));
	vg_must(vg_qemu_patch_apply(&patch, qemu, NULL));
	vg_must(vg_qemu_start_streams(qemu));
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	vg_must(vg_qemu_snapshot_save(qemu, "patched")); /* and the streams go on */
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	expect_refused_exploit(qemu);
	vg_must(vg_qemu_end_streams(qemu, &counts));

	vg_must(vg_qemu_snapshot_load(qemu, "unpatched"));
	vg_echo_peer_restart(vg_qemu_peer(qemu));
	vg_must(vg_qemu_start_streams(qemu));
	expect_refused_exploit(qemu);
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	vg_must(vg_qemu_patch_revert(&patch, qemu, NULL));
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	end_whole(qemu);
}
END_TEST

static void plug_and_unplug(struct vg_qemu *qemu)
{
	vg_must(vg_qemu_plug(qemu, json_pack("{s:s, s:s, s:s}", "driver", "usb-net", "id", "more",
					     "bus", "usb.0")));
	vg_must(vg_qemu_unplug(qemu, "more"));
	vg_must(vg_qemu_plug(
		qemu, json_pack("{s:s, s:s}", "driver", "piix3-usb-uhci", "id", "controller")));
	vg_must(vg_qemu_plug(qemu, json_pack("{s:s, s:s, s:s}", "driver", "usb-tablet", "id",
					     "tablet", "bus", "controller.0")));
	vg_must(vg_qemu_unplug(qemu, "tablet"));
	vg_must(vg_qemu_unplug(qemu, "controller"));
	vg_must(vg_qemu_plug(qemu, json_pack("{s:s, s:s, s:s}", "driver", "e1000e", "id", "card",
					     "romfile", "")));
	vg_must(vg_qemu_unplug(qemu, "card"));
}

static void add_iothreads(struct vg_qemu *qemu, int count)
{
	char name[32];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "more%d", i);
		vg_must(vg_qmp_ask(vg_qemu_qmp(qemu), "object-add",
				   json_pack("{s:s, s:s}", "qom-type", "iothread", "id", name),
				   NULL));
	}
}

static void expect_threads(const json_t *answer)
{
	ck_assert_double_ge(vg_answer_number(answer, "threads"), THREADS);
	ck_assert_double_gt(vg_answer_number(answer, "pause_us"), 0);
}

START_TEST(devices_of_a_patched_kind_come_and_go_among_783_threads)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	_cleanup_answer_ json_t *in = NULL, *out = NULL;
	struct vg_qemu_patch patch, card;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(VG_QEMU_CVE, &patch));
	vg_must(vg_qemu_patch_build("patches/qemu/e1000e-receive", &card));
	vg_must(vg_qemu_start(&(struct vg_qemu_options){0}, &qemu));
	vg_must(vg_qemu_start_streams(qemu));
	add_iothreads(qemu, THREADS - OTHER_THREADS);
	plug_and_unplug(qemu);
	vg_must(vg_qemu_patch_apply(&patch, qemu, &in));
	expect_threads(in);
	vg_must(vg_qemu_patch_apply(&card, qemu, NULL));
	plug_and_unplug(qemu);
	expect_refused_exploit(qemu);
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(qemu), 10));
	vg_must(vg_qemu_patch_revert(&card, qemu, NULL));
	vg_must(vg_qemu_patch_revert(&patch, qemu, &out));
	printf("783 threads: apply %.0f us, revert %.0f us\n", vg_answer_number(in, "pause_us"),
	       vg_answer_number(out, "pause_us"));
	plug_and_unplug(qemu);
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	end_whole(qemu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu moves");
	TCase *tests = tcase_create("moves");

	tcase_set_timeout(tests, 15 * VG_HANG_SECONDS);
	tcase_add_test(tests, the_guest_of_a_patched_qemu_moves_to_an_unpatched_one_and_back);
	tcase_add_test(tests, a_patched_qemu_saves_and_loads_its_machine);
	tcase_add_test(tests, devices_of_a_patched_kind_come_and_go_among_783_threads);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
