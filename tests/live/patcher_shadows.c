/* SPDX-License-Identifier: MIT */
/*
 * Shadow variables survive a patch that replaces the one they came with: they are carried into its
 * table, of whatever size, or the patch is refused by the rule `shadow`. A tool that is killed at
 * any of its calls loses none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "tests/lib/hook_case.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

#define TABLE(count, bytes)                                                                        \
	"#define VGRAFT_SHADOW_COUNT " #count "\n#define VGRAFT_SHADOW_BYTES " #bytes              \
	"\n" VG_HOOK_CASE_HEAD
#define POST_APPLY(body) "static void post(void) { " body " }\nVGRAFT_POST_APPLY(post)\n"
/* Variables besides those that the fix attaches. */
#define ATTACHES(item, id, bytes)                                                                  \
	POST_APPLY("vgraft_shadow_attach(&items[" #item "], " #id ", " #bytes ");")

/* The note that tells of it. */
#define CARRIED(count) "\"shadow variables carried over from replaced patches: " count "\""

/* The fix, applied; items 0 and 1 were sold, twice and once. */
static struct vg_process *start(const char *hooks)
{
	struct vg_process *process;

	vg_hook_case_must_build("fix", hooks, "");
	process = vg_hook_case_start();
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "\"notes\":[]");
	vg_project_expect(process, "0\n", "price 111\n");
	vg_project_expect(process, "0\n", "price 211\n");
	vg_project_expect(process, "1\n", "price 112\n");
	return process;
}

static void expect_goes_on(struct vg_process *process)
{
	vg_project_expect(process, "0\n", "price 311\n");
	vg_project_expect(process, "1\n", "price 212\n");
	vg_project_expect(process, "2\n", "price 113\n");
}

static const char *const tables[][2] = {
	{TABLE(1024, 64), TABLE(1024, 64)},
	{TABLE(64, 64), TABLE(2048, 100)},
	{TABLE(4096, 128), TABLE(16, 4)},
	{TABLE(3, 4), TABLE(5, 20)},
};

START_TEST(a_replacing_patch_gets_the_variables_whatever_the_size_of_its_table)
{
	_cleanup_process_ struct vg_process *process = start(tables[_i][0]);

	vg_hook_case_must_build("all", tables[_i][1], "--replace");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", CARRIED("2"));
	expect_goes_on(process);
	vg_hook_case_run(process, "revert all", "\"reverted\"", "");
	vg_project_expect(process, "0\n", "price 11\n");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", "");
	vg_project_expect(process, "0\n", "price 111\n");
}
END_TEST

/* A table that is nearly empty is read variable by variable, a full one whole. */
START_TEST(a_full_table_is_carried_over_and_freed_variables_are_not)
{
	static const char fills[] = TABLE(512, 64) POST_APPLY(
		"for (size_t i = 0; i < 512; i++) "
		"{ size_t *value = vgraft_shadow_attach((char *)items + 64 + i, 7, 64); "
		"value[0] = value[7] = i; } "
		"for (size_t i = 0; i < 500; i += 5) vgraft_shadow_free((char *)items + 64 + i, "
		"7);");
	static const char looks[] = TABLE(512, 80) POST_APPLY(
		"size_t at = 0, count = 0, wrong = 0; void *object; "
		"for (size_t *value; (value = vgraft_shadow_next(7, &at, &object)); count++) "
		"{ size_t i = (size_t)((char *)object - (char *)items - 64); "
		"wrong += value[0] != i || value[7] != i || (i < 500 && i % 5 == 0) || "
		"vgraft_shadow_get(object, 7) != value; } "
		"limit = wrong ? 7777 : (int)count;");
	_cleanup_process_ struct vg_process *process = start(fills);

	vg_hook_case_must_build("all", looks, "--replace");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", CARRIED("414"));
	vg_project_expect(process, "?\n", "limit 412 faults 0");
}
END_TEST

/* What is in the table when the pre-apply hook of the new patch looks; it may veto. */
START_TEST(pre_apply_hooks_find_the_variables_and_a_veto_leaves_the_old_patch_its_own)
{
	static const char vetoes[] =
		TABLE(64, 64) "static int pre(void) { size_t at = 0; int sum = 0; "
			      "for (int *sold; (sold = vgraft_shadow_next(1, &at, NULL));) "
			      "{ sum += *sold; *sold = 50; } "
			      "return limit == 10 ? sum : 0; }\nVGRAFT_PRE_APPLY(pre)\n";
	_cleanup_process_ struct vg_process *process = start(TABLE(1024, 64));

	vg_hook_case_must_build("all", vetoes, "--replace");
	vg_hook_case_run(process, "apply all.vgp", "\"refused\"", "vetoed (3)");
	expect_goes_on(process);
	vg_project_expect(process, "=0\n", "price 401\n");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", CARRIED("3"));
	vg_project_expect(process, "0\n", "price 5101\n");
}
END_TEST

static const struct {
	const char *fix, *all, *says;
} refused[] = {
	{TABLE(64, 64) ATTACHES(3, 9, 50), TABLE(64, 48),
	 "has 50 bytes in patch fix; patch all, which replaces that, has room for 48"},
	{TABLE(64, 64) ATTACHES(3, 9, 4), TABLE(2, 64),
	 "have 3 shadow variables; patch all has room for 2"},
	{TABLE(64, 64), NULL, "patch fix has shadow variables in use, and patch all"},
};

/* With fix.diff there would be no way to do without a table. */
static void build_plain(const char *options)
{
	vg_project_write("fix.diff", "--- a/price.c\n+++ b/price.c\n@@ -5,4 +5,4 @@\n"
				     " int price(int i)\n {\n"
				     "-\treturn items[i & 3].price + limit;\n"
				     "+\treturn items[i & 3].price + limit + 1000;\n }\n");
	vg_hook_case_must_build("all", NULL, options);
}

static void build_all(const char *hooks, const char *options)
{
	if (hooks)
		vg_hook_case_must_build("all", hooks, options);
	else
		build_plain(options);
}

START_TEST(a_patch_without_room_for_the_variables_is_refused_or_drops_them_if_that_is_allowed)
{
	_cleanup_process_ struct vg_process *process = start(refused[_i].fix);

	build_all(refused[_i].all, "--replace");
	vg_hook_case_run(process, "check all.vgp", "\"refused\"", refused[_i].says);
	vg_hook_case_run(process, "apply all.vgp", "\"rule\":\"shadow\"", refused[_i].says);
	expect_goes_on(process);
	build_all(refused[_i].all, "--replace --allow shadow");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"",
			 "shadow variables of replaced patches dropped: ");
	vg_project_expect(process, "0\n", refused[_i].all ? "price 111\n" : "price 1011\n");
}
END_TEST

START_TEST(a_table_that_is_not_in_use_needs_no_other)
{
	_cleanup_process_ struct vg_process *process = vg_hook_case_start();

	vg_hook_case_must_build("fix", TABLE(64, 64), "");
	build_plain("--replace");
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", "\"notes\":[]");
	vg_project_expect(process, "0\n", "price 1011\n");
}
END_TEST

START_TEST(two_replaced_patches_with_the_same_variable_are_ambiguous)
{
	_cleanup_process_ struct vg_process *process = start(TABLE(64, 64));

	vg_hook_case_must_build("two", TABLE(64, 64) ATTACHES(0, 1, 4), "");
	vg_hook_case_must_build("all", TABLE(64, 64), "--replace");
	vg_hook_case_run(process, "apply two.vgp", "\"applied\"", "");
	vg_hook_case_run(process, "apply all.vgp", "\"rule\":\"shadow\"",
			 "patches fix and two both have the shadow variable 1 of the object");
	vg_hook_case_run(process, "revert two", "\"reverted\"", "");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", CARRIED("2"));
	expect_goes_on(process);
}
END_TEST

START_TEST(variables_of_several_patches_come_together_in_one_table)
{
	_cleanup_process_ struct vg_process *process = start(TABLE(64, 64));

	vg_hook_case_must_build("two", TABLE(16, 32) ATTACHES(3, 2, 32), "");
	vg_hook_case_must_build(
		"all",
		TABLE(128, 64) POST_APPLY("limit = vgraft_shadow_get(&items[3], 2) ? 20 : 30;"),
		"--replace");
	vg_hook_case_run(process, "apply two.vgp", "\"applied\"", "");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", CARRIED("3"));
	vg_project_expect(process, "0\n", "price 321\n");
}
END_TEST

/* The program's `kept` says where the variable lies, as zlib's state does of a stream. */
#define KEEPS(id) TABLE(64, 64) POST_APPLY("kept = vgraft_shadow_attach(&items[3], " #id ", 4);")

START_TEST(an_address_that_a_post_apply_hook_renews_does_not_keep_the_old_memory)
{
	static const char *const notes[] = {CARRIED("1") "]",
					    "the memory of patch fix, which is out, stays"};
	_cleanup_process_ struct vg_process *process = vg_hook_case_start();

	vg_hook_case_must_build("fix", KEEPS(5), "");
	vg_hook_case_must_build("all", _i ? TABLE(64, 64) : KEEPS(5), "--replace");
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", notes[_i]);
}
END_TEST

/* Such as the name of something: it lies in the memory of the patch that was replaced. */
START_TEST(a_variable_that_points_into_the_old_patch_keeps_its_memory)
{
	static const char points[] =
		TABLE(64, 64) "static const char text[] = \"a name\";\n" POST_APPLY(
			"const char **name = vgraft_shadow_attach(&items[3], 9, 8); *name = text;");
	_cleanup_process_ struct vg_process *process = vg_hook_case_start();

	vg_hook_case_must_build("fix", points, "");
	vg_hook_case_must_build("all", TABLE(64, 64), "--replace");
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"",
			 "the memory of patch fix, which is out, stays");
}
END_TEST

START_TEST(hooks_files_of_several_fixes_share_the_table_of_a_file_of_its_own)
{
	_cleanup_process_ struct vg_process *process = vg_hook_case_start();
	_cleanup_free_ char *text = NULL;

	vg_project_write("hooks/one.c", VG_HOOK_CASE_INCLUDE "VGRAFT_SHADOW_NEEDS(4);\n" POST_APPLY(
						"int *value = vgraft_shadow_attach(items, 2, 4); "
						"*value = 30;"));
	vg_project_write("hooks/two.c",
			 VG_HOOK_CASE_INCLUDE "VGRAFT_SHADOW_NEEDS(32);\n" POST_APPLY(
				 "size_t at = 0; "
				 "for (int *value; (value = vgraft_shadow_next(2, &at, NULL));) "
				 "limit += *value;"));
	vg_project_write("hooks/table.c", TABLE(8, 32));
	ck_assert_int_eq(vg_hook_case_build("fix",
					    "--hooks hooks/one.c --hooks hooks/two.c "
					    "--hooks hooks/table.c",
					    &text),
			 0);
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_project_expect(process, "0\n", "price 141\n");
}
END_TEST

static const struct {
	const char *hooks, *others, *says;
} mistakes[] = {
	{TABLE(64, 64), VG_HOOK_CASE_HEAD, "both say VGRAFT_SHADOW_VARIABLES"},
	{TABLE(64, 64), VG_HOOK_CASE_INCLUDE "VGRAFT_SHADOW_NEEDS(65);\n",
	 "needs shadow variables of 65 bytes"},
};

START_TEST(a_table_that_is_not_one_or_too_small_is_refused_when_it_is_built)
{
	_cleanup_free_ char *text = NULL;

	vg_project_write("hooks/one.c", mistakes[_i].hooks);
	vg_project_write("hooks/two.c", mistakes[_i].others);
	ck_assert_int_eq(
		vg_hook_case_build("fix", "--hooks hooks/one.c --hooks hooks/two.c", &text), 3);
	ck_assert_msg(strstr(text, mistakes[_i].says), "%s", text);
}
END_TEST

/* Each answer is one more than the last, in the old table or in the new one. */
START_TEST(a_tool_killed_while_it_replaces_loses_no_variable)
{
	_cleanup_process_ struct vg_process *process = vg_hook_case_start();
	size_t at = 1, step = getenv("VGRAFT_KILL_ALL") ? 1 : 3;
	bool killed = true;

	vg_hook_case_must_build("fix", TABLE(1024, 64), "");
	vg_hook_case_must_build("all", TABLE(256, 128), "--replace");
	for (; killed; at += step) {
		vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
		vg_project_expect(process, "0\n", "price 111\n");
		killed = vg_hook_case_kill_at(process, "apply", "all.vgp", at);
		vg_project_expect(process, "0\n", "price 211\n");
		vg_hook_case_run(process, "apply all.vgp", "\"a", "\"result\"");
		vg_project_expect(process, "0\n", "price 311\n");
		vg_hook_case_run(process, "revert all", "\"reverted\"", "");
		vg_project_expect(process, "0\n", "price 11\n");
	}
	printf("replace with shadow variables: killed at %zu points, 0 lost\n", at / step);
	fflush(stdout);
}
END_TEST

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("patcher_shadows");
	TCase *tcase = tcase_create("shadows");

	if (!vg_hook_case_find_tool())
		return 1;
	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, vg_hook_case_enter, vg_project_leave);
	tcase_add_loop_test(tcase,
			    a_replacing_patch_gets_the_variables_whatever_the_size_of_its_table, 0,
			    COUNT(tables));
	tcase_add_test(tcase, a_full_table_is_carried_over_and_freed_variables_are_not);
	tcase_add_test(tcase,
		       pre_apply_hooks_find_the_variables_and_a_veto_leaves_the_old_patch_its_own);
	tcase_add_loop_test(
		tcase,
		a_patch_without_room_for_the_variables_is_refused_or_drops_them_if_that_is_allowed,
		0, COUNT(refused));
	tcase_add_test(tcase, a_table_that_is_not_in_use_needs_no_other);
	tcase_add_test(tcase, two_replaced_patches_with_the_same_variable_are_ambiguous);
	tcase_add_test(tcase, variables_of_several_patches_come_together_in_one_table);
	tcase_add_loop_test(
		tcase, an_address_that_a_post_apply_hook_renews_does_not_keep_the_old_memory, 0, 2);
	tcase_add_test(tcase, a_variable_that_points_into_the_old_patch_keeps_its_memory);
	tcase_add_test(tcase, hooks_files_of_several_fixes_share_the_table_of_a_file_of_its_own);
	tcase_add_loop_test(tcase, a_table_that_is_not_one_or_too_small_is_refused_when_it_is_built,
			    0, COUNT(mistakes));
	tcase_add_test(tcase, a_tool_killed_while_it_replaces_loses_no_variable);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
