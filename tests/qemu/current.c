/* SPDX-License-Identifier: MIT */
/*
 * The fixes for the package that hosts run today (patches/qemu/debian-12-u18), in that QEMU while
 * its guest works. Skipped once apt offers a newer one.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/text_file.h"
#include "tests/lib/guest.h"
#include "tests/lib/qemu_patch.h"
#include "tests/lib/suite.h"

#define BETWEEN_STEPS 100 /* requests of each stream */

static const char *const fixes[] = {
	"patches/qemu/CVE-2019-12067",
	"patches/qemu/CVE-2020-35503",
	"patches/qemu/CVE-2025-14876",
};

#define FIXES (sizeof(fixes) / sizeof(fixes[0]))

/* The line that the unpacking has left when it found no package. */
static void need_tree(const char *test)
{
	_cleanup_free_ char *why = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/qemu/u18.why-not", vg_build_folder());
	vg_error_free(vg_text_file_read(path, &why, NULL));
	if (why && *why)
		vg_test_skip_at(test, "%.*s", (int)strcspn(why, "\n"), why);
	vg_qemu_need(test);
}

/* What make's run of the build printed. */
static void need_build(const char *test, const char *fix)
{
	_cleanup_answer_ json_t *answer = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s.json", vg_build_folder(), strchr(fix, '/'));
	answer = json_load_file(path, 0, NULL);
	if (vg_qemu_package_gone(answer))
		vg_test_skip_at(test, "%s", vg_qemu_package_gone(answer));
}

static void apply(struct vg_qemu *qemu, const struct vg_qemu_patch *patch)
{
	vg_must(vg_qemu_patch_apply(patch, qemu, NULL));
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(qemu), 10));
}

static void revert(struct vg_qemu *qemu, const struct vg_qemu_patch *patch)
{
	vg_must(vg_qemu_patch_revert(patch, qemu, NULL));
	vg_must(vg_qemu_wait_verified(qemu, BETWEEN_STEPS));
	vg_must(vg_qmp_wait_answers(vg_qemu_qmp(qemu), 10));
}

START_TEST(the_fixes_of_the_current_package_go_in_and_out_while_its_guest_works)
{
	_cleanup_qemu_ struct vg_qemu *qemu = NULL;
	struct vg_qemu_patch patches[FIXES];
	struct vg_qemu_counts counts;

	need_tree(__func__);
	for (size_t i = 0; i < FIXES; i++)
		need_build(__func__, fixes[i]);
	for (size_t i = 0; i < FIXES; i++)
		vg_must(vg_qemu_patch_build(fixes[i], &patches[i]));
	vg_must(vg_qemu_start(&(struct vg_qemu_options){0}, &qemu));
	vg_must(vg_qemu_start_streams(qemu));
	for (size_t i = 0; i < FIXES; i++) {
		apply(qemu, &patches[i]);
		revert(qemu, &patches[i]);
	}
	for (size_t i = 0; i < FIXES; i++)
		apply(qemu, &patches[i]);
	for (size_t i = 0; i < FIXES; i++)
		revert(qemu, &patches[i]);
	vg_must(vg_qemu_end_streams(qemu, &counts));
	vg_must(vg_qemu_power_off(qemu));
	vg_must(vg_qemu_check_disk(qemu));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu current");
	TCase *tests = tcase_create("current");
	char tree[PATH_MAX];

	snprintf(tree, sizeof(tree), "%s/qemu/u18", vg_build_folder());
	setenv("VGRAFT_QEMU_TREE", tree, 1);
	tcase_set_timeout(tests, 15 * VG_HANG_SECONDS);
	tcase_add_test(tests, the_fixes_of_the_current_package_go_in_and_out_while_its_guest_works);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
