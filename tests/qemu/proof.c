/* SPDX-License-Identifier: MIT */
/*
 * Each fix of patches/qemu in the running QEMU: what it is for shows, from outside, with it and not
 * without it. Then all of them together.
 */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "tests/lib/code_pages.h"
#include "tests/lib/guest.h"
#include "tests/lib/qemu_patch.h"
#include "tests/lib/suite.h"
#include "tests/qemu/effects/effects.h"

#define BETWEEN_STEPS 20 /* requests of each stream */

/* All that can be shown is that the new code runs. */
enum runs { SHOWS, WHEN_ASKED, ALL_THE_TIME };

struct row {
	const char *folder;
	effect_function *show;
	effect_stage_function *machine; /* one of its own; NULL: the guest that all share */
	const char *assertion; /* what QEMU ends with where the fix is missing; NULL: it goes on */
	enum runs runs;
};

#define FIX(name, effect, ...)                                                                     \
	{                                                                                          \
		.folder = "patches/qemu/" name, .show = effect, __VA_ARGS__                        \
	}

/* Those that need a machine of their own, or end it, come first. */
static const struct row rows[] = {
	FIX("drive-context", effect_drive_context,
	    .assertion = "bdrv_replace_child_noperm: Assertion"),
	FIX("e1000e-delayed-causes", effect_e1000e_delayed_causes,
	    .assertion = "delayed_causes == 0"),
	FIX("e1000e-receive", effect_e1000e_receive, .assertion = "MAX_PS_BUFFERS"),
	FIX("ohci-setup-endpoint", effect_ohci_exploit, .assertion = "usb_ep_get: Assertion"),
	FIX("CVE-2025-11234", effect_websocket, .machine = effect_stage_vnc),
	FIX("vnc-zlib-stream", effect_vnc_zlib, .machine = effect_stage_vnc),
	FIX("ram-writeback", effect_ram_writeback, .machine = effect_stage_incoming),
	FIX("intx-irqfd", effect_intx_irqfd, .machine = effect_stage_vhost_user),
	FIX("tb-self-link", effect_tb_self_link, .machine = effect_stage_loop),
	FIX("sipi-in-smm", effect_sipi_in_smm, .machine = effect_stage_sipi),
	FIX("smm-debug-registers", effect_smm_debug_registers, .machine = effect_stage_breakpoint),
	FIX("qxl-chunk-size", effect_qxl_chunk_size, .machine = effect_stage_qxl),
	FIX("audio-no-voice", effect_run_sound_card, .machine = effect_stage_preconfig,
	    .runs = WHEN_ASKED),
	FIX("CVE-2025-12464", effect_loopback_padding),
	FIX("usb-net-address", effect_usb_net_address),
	FIX("x509-key-usage", effect_x509_key_usage),
	FIX("canonical-fault-cr2", effect_canonical_fault),
	FIX("net-listener-lock", effect_run_listener, .runs = WHEN_ASKED),
	FIX("tls-channel-close", effect_run_tls, .runs = WHEN_ASKED),
	FIX("vector-constant-dup", effect_run_rewrite, .runs = ALL_THE_TIME),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool is_of_its_own(const struct row *row)
{
	return row->machine || row->assertion;
}

/* Shown in live.c. */
#define SHOWN_ELSEWHERE "CVE-2024-8354"

static void expect_effect(struct effect_stage *stage, const struct row *row, bool fixed)
{
	bool found = !fixed;

	vg_must(row->show(stage, &found));
	ck_assert_msg(found == fixed, "%s %s", row->folder,
		      found ? "shows before it is there" : "does not show");
}

static unsigned long touched_by(struct effect_stage *stage)
{
	unsigned long touched;

	vg_must(vg_code_pages_touched(vg_qemu_pid(stage->qemu), &touched));
	return touched;
}

/* The new code runs when it is asked for, and not before. */
static void expect_run(struct effect_stage *stage, const struct row *row)
{
	bool unused;

	vg_must(vg_code_pages_forget(vg_qemu_pid(stage->qemu)));
	vg_must(vg_qmp_ask(vg_qemu_qmp(stage->qemu), "query-status", NULL, NULL));
	ck_assert_msg(row->runs == ALL_THE_TIME || touched_by(stage) == 0,
		      "the code of %s has run before it was asked for", row->folder);
	vg_must(row->show(stage, &unused));
	ck_assert_msg(touched_by(stage) > 0, "the code of %s has not run", row->folder);
}

static void prove(struct effect_stage *stage, const struct row *row)
{
	struct vg_qemu_patch patch;
	bool differs = !row->assertion && !row->runs;

	fprintf(stderr, "%s\n", row->folder);
	vg_must(vg_qemu_patch_build(row->folder, &patch));
	if (differs)
		expect_effect(stage, row, false);
	vg_must(vg_qemu_patch_apply(&patch, stage->qemu, NULL));
	if (row->runs)
		expect_run(stage, row);
	else
		expect_effect(stage, row, true);
	vg_must(vg_qemu_wait_verified(stage->qemu, BETWEEN_STEPS));
	vg_must(vg_qemu_patch_revert(&patch, stage->qemu, NULL));
	if (differs)
		expect_effect(stage, row, false);
}

START_TEST(each_fix_shows_in_the_running_qemu)
{
	_cleanup_stage_ struct effect_stage stage = {0};
	struct vg_qemu_counts counts;

	vg_qemu_need(__func__);
	vg_must(effect_stage_boot(&stage));
	vg_must(vg_qemu_start_streams(stage.qemu));
	for (size_t i = 0; i < ROWS; i++)
		if (!rows[i].machine)
			prove(&stage, &rows[i]);
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(stage.qemu), 10));
	vg_must(vg_qemu_end_streams(stage.qemu, &counts));
	vg_must(vg_qemu_power_off(stage.qemu));
	vg_must(vg_qemu_check_disk(stage.qemu));
}
END_TEST

/* By the assertion that the fix is about. */
static void expect_end(struct effect_stage *stage, const struct row *row)
{
	struct vg_process *process = vg_qemu_process(stage->qemu);

	vg_must(vg_process_wait_end(process));
	ck_assert_msg(vg_process_exit_code(process) == 128 + 6 &&
			      strstr(process->messages.text, row->assertion),
		      "%s: QEMU ended with %d: %s", row->folder, vg_process_exit_code(process),
		      process->messages.text);
}

enum phase { BEFORE, WITH, AFTER };

/* One machine for each phase: what shows may end it, or happen once in its life. */
static void show_alone(const struct row *row, const struct vg_qemu_patch *patch, enum phase phase)
{
	_cleanup_stage_ struct effect_stage stage = {0};

	vg_must((row->machine ? row->machine : effect_stage_without_guest)(&stage));
	if (phase != BEFORE)
		vg_must(vg_qemu_patch_apply(patch, stage.qemu, NULL));
	if (phase == AFTER)
		vg_must(vg_qemu_patch_revert(patch, stage.qemu, NULL));
	if (row->runs)
		expect_run(&stage, row);
	else
		expect_effect(&stage, row, phase == WITH);
	if (phase != WITH && row->assertion)
		expect_end(&stage, row);
}

START_TEST(a_fix_shows_in_a_machine_of_its_own_with_it_but_neither_before_nor_after)
{
	const struct row *row = &rows[_i];
	struct vg_qemu_patch patch;

	vg_qemu_need(__func__);
	fprintf(stderr, "%s\n", row->folder);
	vg_must(vg_qemu_patch_build(row->folder, &patch));
	show_alone(row, &patch, WITH);
	if (row->runs)
		return;
	show_alone(row, &patch, BEFORE);
	show_alone(row, &patch, AFTER);
}
END_TEST

/* ---- all of them together */

#define CUMULATIVE "tests/qemu/patches/cumulative"

static bool is_told(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(strrchr(rows[i].folder, '/') + 1, name))
			return true;
	return strcmp(name, SHOWN_ELSEWHERE) == 0;
}

/*
 * Patches of patches/qemu that were built; some are refused, by design. The module of qxl is loaded
 * for a device that this machine does not have.
 */
static void find_patches(struct vg_qemu_patches *patches)
{
	size_t count = 0;

	vg_must(vg_qemu_patches_find(patches));
	for (size_t i = 0; i < patches->count; i++) {
		const char *name = patches->all[i].name;

		ck_assert_msg(is_told(name), "nothing says how %s shows", name);
		if (!strstr(name, "qxl"))
			patches->all[count++] = patches->all[i];
	}
	patches->count = count;
	ck_assert_uint_gt(count, 10);
}

static void apply_all(struct effect_stage *stage, const struct vg_qemu_patches *patches,
		      bool backwards)
{
	size_t count = patches->count;

	for (size_t i = 0; i < count; i++)
		vg_must(vg_qemu_patch_apply(&patches->all[backwards ? count - 1 - i : i],
					    stage->qemu, NULL));
}

static size_t common_divisor(size_t a, size_t b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* A step that has no divisor in common with the count comes to all of them. */
static void revert_all(struct effect_stage *stage, const struct vg_qemu_patches *patches)
{
	size_t count = patches->count, step = count / 2;

	while (common_divisor(count, step) > 1)
		step--;
	for (size_t i = 0, at = 0; i < count; i++, at = (at + step) % count)
		vg_must(vg_qemu_patch_revert(&patches->all[at], stage->qemu, NULL));
}

static void expect(struct effect_stage *stage, const struct row *row, bool fixed)
{
	bool unused;

	if (row->runs)
		vg_must(row->show(stage, &unused));
	else
		expect_effect(stage, row, fixed);
}

/* What the fixes of the processor are about, as a Linux guest comes to it. */
static void use_processors(struct effect_stage *stage)
{
	vg_must(vg_qemu_command(stage->qemu, "restart", "vg-restart done", NULL));
	vg_must(vg_qemu_command(stage->qemu, "smi", "vg-smi done", NULL));
}

static void expect_all(struct effect_stage *stage, bool fixed)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!rows[i].machine && (fixed || !rows[i].assertion))
			expect(stage, &rows[i], fixed);
	use_processors(stage);
	vg_must(vg_qemu_wait_verified(stage->qemu, BETWEEN_STEPS));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(stage->qemu), 10));
}

START_TEST(all_fixes_go_in_in_two_orders_and_out_in_a_third_and_give_way_to_one_for_all)
{
	_cleanup_stage_ struct effect_stage stage = {0};
	static struct vg_qemu_patches patches;
	struct vg_qemu_patch cumulative;
	_cleanup_answer_ json_t *answer = NULL;
	struct vg_qemu_counts counts;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(CUMULATIVE, &cumulative));
	find_patches(&patches);
	vg_must(effect_stage_boot(&stage));
	vg_must(vg_qemu_start_streams(stage.qemu));
	for (int backwards = 0; backwards < 2; backwards++) {
		apply_all(&stage, &patches, backwards);
		expect_all(&stage, true);
		revert_all(&stage, &patches);
		expect_all(&stage, false);
	}
	apply_all(&stage, &patches, false);
	vg_must(vg_qemu_patch_apply(&cumulative, stage.qemu, &answer));
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "replaced")), patches.count);
	expect_all(&stage, true);
	vg_must(vg_qemu_patch_revert(&cumulative, stage.qemu, NULL));
	expect_all(&stage, false);
	vg_must(vg_qemu_end_streams(stage.qemu, &counts));
	vg_must(vg_qemu_power_off(stage.qemu));
	vg_must(vg_qemu_check_disk(stage.qemu));
}
END_TEST

/* ---- what is in use at the time */

static const char *const with_variables[] = {"patches/qemu/CVE-2025-11234",
					     "patches/qemu/net-listener-lock",
					     "patches/qemu/vnc-zlib-stream"};

static void apply_those_with_variables(struct effect_stage *stage)
{
	struct vg_qemu_patch patch;

	for (size_t i = 0; i < sizeof(with_variables) / sizeof(with_variables[0]); i++) {
		vg_must(vg_qemu_patch_build(with_variables[i], &patch));
		vg_must(vg_qemu_patch_apply(&patch, stage->qemu, NULL));
	}
}

/* The compressor that the client goes on with, and the locks of two listeners. */
static void expect_carried(const json_t *answer)
{
	_cleanup_free_ char *notes = json_dumps(json_object_get(answer, "notes"), 0);

	ck_assert_msg(strstr(notes, "shadow variables carried over from replaced patches: 3"), "%s",
		      notes);
	ck_assert_msg(!strstr(notes, "stays mapped"), "%s", notes);
}

START_TEST(a_vnc_client_and_an_open_listener_go_on_over_a_replace_and_a_revert)
{
	_cleanup_stage_ struct effect_stage stage = {0};
	_cleanup_viewer_ struct effect_viewer viewer = {.client = -1};
	_cleanup_answer_ json_t *answer = NULL;
	struct vg_qemu_patch cumulative;
	bool fixed;

	vg_qemu_need(__func__);
	vg_must(vg_qemu_patch_build(CUMULATIVE, &cumulative));
	vg_must(effect_stage_vnc(&stage));
	apply_those_with_variables(&stage);
	vg_must(effect_viewer_open(&stage, &viewer));
	vg_must(effect_viewer_update(&viewer));
	vg_must(effect_listener_open(&stage));
	vg_must(effect_listener_call(&stage));
	vg_must(vg_qemu_patch_apply(&cumulative, stage.qemu, &answer));
	expect_carried(answer);
	for (int i = 0; i < 3; i++) {
		vg_must(effect_viewer_update(&viewer));
		vg_must(effect_listener_call(&stage));
	}
	vg_must(vg_qemu_patch_revert(&cumulative, stage.qemu, NULL));
	vg_must(effect_viewer_update(&viewer));
	vg_must(effect_listener_call(&stage));
	vg_must(vg_qemu_patch_apply(&cumulative, stage.qemu, NULL));
	vg_must(effect_viewer_update(&viewer));
	vg_must(effect_listener_close(&stage));
	effect_viewer_close(&viewer); /* this screen is for one client at a time */
	vg_must(effect_vnc_zlib(&stage, &fixed));
	ck_assert(fixed);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tests = tcase_create(name);

	tcase_set_timeout(tests, 15 * VG_HANG_SECONDS);
	suite_add_tcase(suite, tests);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("qemu proof");
	int own = 0;

	while (is_of_its_own(&rows[own]))
		own++;
	tcase_add_test(add_case(suite, "each"), each_fix_shows_in_the_running_qemu);
	tcase_add_loop_test(
		add_case(suite, "own"),
		a_fix_shows_in_a_machine_of_its_own_with_it_but_neither_before_nor_after, 0, own);
	tcase_add_test(
		add_case(suite, "all"),
		all_fixes_go_in_in_two_orders_and_out_in_a_third_and_give_way_to_one_for_all);
	tcase_add_test(add_case(suite, "over"),
		       a_vnc_client_and_an_open_listener_go_on_over_a_replace_and_a_revert);
	return vg_suite_run(suite);
}
