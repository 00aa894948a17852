/* SPDX-License-Identifier: MIT */
/*
 * A second patch that builds upon a first one, from source to a running process: it changes what
 * the first one changed, and uses functions and variables that the first one brought.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/guest.h"
#include "tests/lib/process.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

#define MAIN                                                                                       \
	"#include <stdio.h>\n#include <stdlib.h>\n"                                                \
	"int price(int i);\nint count(int i);\nint extra(int i);\n"                                \
	"int main(void)\n{\n\tchar line[64];\n"                                                    \
	"\twhile (fgets(line, sizeof(line), stdin)) {\n\t\tint i = atoi(line), p = price(i);\n"    \
	"\t\tint c = count(i);\n\t\tprintf(\"%d %d %d\\n\", p, c, extra(i));\n"                    \
	"\t\tfflush(stdout);\n\t}\n\treturn 0;\n}\n"

/* count() has four bytes: in a stripped program they tell nothing but for what lies beside them. */
#define ENOUGH                                                                                     \
	"int mixed(int i)\n{\n\treturn (i ^ 0x1234567) * 0x7654321 + (i >> 3) * 0x1111117 + i / "  \
	"7 * "                                                                                     \
	"0x2222223 + i % 1000;\n}\n"

/* What the first fix brings, what price and count return, and how discount decides. */
#define PRICE(brings, price, count)                                                                \
	"int limit = 10;\n\n" brings "int price(int i)\n{\n\treturn " price ";\n}\n\n"             \
	"int count(int i)\n{\n\treturn " count ";\n}\n\n" ENOUGH
#define BRINGS(limit)                                                                              \
	"static int sold;\n\nstatic __attribute__((noinline)) int discount(int i)\n"               \
	"{\n\tsold++;\n\treturn i > " limit " ? i / 2 : 0;\n}\n\n"                                 \
	"__attribute__((noinline)) int bonus(int i)\n{\n\treturn i * 100 + limit;\n}\n\n"
#define EXTRA(brings, result) brings "int extra(int i)\n{\n\treturn " result ";\n}\n"

#define ONCE  "i + limit - discount(i) + (i > 99 ? bonus(i) : 0)"
#define TWICE "i + limit - 2 * discount(i) + (i > 99 ? bonus(i) : 0)"

/* The sources: original; with the first fix; with the second; with others; not with the first. */
static const struct {
	const char *name, *price, *extra;
} stages[] = {
	{"original", PRICE("", "i + limit", "i * 2"), EXTRA("", "i * i - 1")},
	{"first", PRICE(BRINGS("2"), ONCE, "i * 2"), EXTRA("", "i * i - 1")},
	{"second", PRICE(BRINGS("2"), TWICE, "sold * 1000 + i"),
	 EXTRA("int bonus(int i);\n\n", "bonus(i) + 1")},
	{"third", PRICE(BRINGS("3"), ONCE, "i * 2"), EXTRA("", "i * i - 1")},
	/* Changes nothing that the first one changed. */
	{"count", PRICE(BRINGS("2"), ONCE, "sold * 1000 + i"), EXTRA("", "i * i - 1")},
	{"other", PRICE(BRINGS("1"), ONCE, "i * 2"), EXTRA("", "i * i - 1")},
};

static void write_sources(const char *folder, size_t stage)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/price.c", folder);
	vg_project_write(path, stages[stage].price);
	snprintf(path, sizeof(path), "%s/extra.c", folder);
	vg_project_write(path, stages[stage].extra);
}

/* NAME.diff leads from one stage to another. */
static void write_diff(size_t from, size_t to)
{
	write_sources("a", from);
	write_sources("b", to);
	vg_project_shell("diff -ru a b > %s.diff; rm -r a b", stages[to].name);
}

static char home[4096], vgraft[4200];
static const char *const modes[] = {"-fPIE -pie", "-fno-pie -no-pie", "-fPIE -pie"};

#define COMMAND                                                                                    \
	"{\"directory\": \"%s\", \"file\": \"%s.c\", \"command\": \"gcc -O2 -g %s -c %s.c -o "     \
	"%s.o\"}"

static void set_up(void)
{
	vg_project_enter();
}

/* The program without any fix; then the source gets the first one. The third mode is stripped. */
static void make_project(int mode)
{
	_cleanup_free_ char *commands = NULL, *compile = NULL;
	const char *root = vg_project_root();
	const char *flags = strtok(compile = strdup(modes[mode]), " ");

	ck_assert_int_gt(asprintf(&commands, "[" COMMAND ",\n" COMMAND ",\n" COMMAND "]\n", root,
				  "main", flags, "main", "main", root, "price", flags, "price",
				  "price", root, "extra", flags, "extra", "extra"),
			 0);
	vg_project_write("main.c", MAIN);
	write_sources(".", 0);
	write_diff(0, 1);
	write_diff(1, 2);
	write_diff(1, 3);
	write_diff(1, 4);
	vg_project_write("compile_commands.json", commands);
	vg_project_shell("gcc -O2 -g %s -Wl,--build-id -o program main.c price.c extra.c",
			 modes[mode]);
	if (mode == 2)
		vg_project_shell("strip program");
	vg_project_shell("%s build --source . --diff first.diff --target program --name first "
			 "-o first.vgp 2>build.txt || { cat build.txt; exit 1; }",
			 vgraft);
	write_sources(".", 1);
}

static int build(const char *diff, const char *options, char **text)
{
	return vg_project_output(text,
				 "%s build --source . --diff %s.diff --target program --name %s %s "
				 "-o %s.vgp 2>&1",
				 vgraft, diff, diff, options, diff);
}

static void expect_run(const struct vg_process *process, const char *verb, const char *result,
		       const char *says)
{
	_cleanup_free_ char *text = NULL;

	vg_project_output(&text, "%s %s --pid %d --timeout 20 --json 2>/dev/null", vgraft, verb,
			  process->pid);
	ck_assert_msg(strstr(text, result) && strstr(text, says), "%s: %s", verb, text);
}

START_TEST(a_second_patch_uses_the_functions_and_variables_of_the_first)
{
	_cleanup_free_ char *text = NULL;

	make_project(_i);
	ck_assert_msg(build("second", "--depends-object first.vgp", &text) == 0, "%s", text);

	_cleanup_process_ struct vg_process *process = vg_project_start();

	vg_project_expect(process, "4\n", "14 8 15\n");
	expect_run(process, "apply second.vgp", "\"refused\"", "depends on patch first");
	expect_run(process, "apply first.vgp", "\"applied\"", "");
	vg_project_expect(process, "4\n", "12 8 15\n");
	vg_project_expect(process, "4\n", "12 8 15\n");
	expect_run(process, "apply second.vgp", "\"applied\"", "\"hides\":[]");
	/* The variable has counted two calls by now, and counts on. */
	vg_project_expect(process, "4\n", "10 3004 411\n");
	vg_project_expect(process, "4\n", "10 4004 411\n");
	expect_run(process, "revert first", "\"refused\"", "revert second first");
	vg_project_expect(process, "4\n", "10 5004 411\n");
	expect_run(process, "revert second", "\"reverted\"", "");
	vg_project_expect(process, "4\n", "12 8 15\n");
	expect_run(process, "apply second.vgp", "\"applied\"", "");
	vg_project_expect(process, "4\n", "10 7004 411\n");
	expect_run(process, "revert second", "\"reverted\"", "");
	expect_run(process, "revert first", "\"reverted\"", "");
	vg_project_expect(process, "4\n", "14 8 15\n");
}
END_TEST

START_TEST(what_only_a_cumulative_patch_can_do_is_refused_by_name)
{
	_cleanup_free_ char *text = NULL, *again = NULL, *usage = NULL, *unknown = NULL;

	make_project(0);
	ck_assert_int_eq(build("third", "--depends-object first.vgp", &text), 3);
	ck_assert_msg(strstr(text, "discount came with patch first") != NULL, "%s", text);
	ck_assert_int_eq(build("second", "--depends first --replace", &usage), 2);
	ck_assert_int_eq(build("count", "--depends first", &unknown), 3);
	ck_assert_msg(strstr(unknown, "--depends-object") != NULL, "%s", unknown);
	/* The source must have what the first patch was built from. */
	write_sources(".", 5);
	ck_assert_int_eq(build("second", "--depends-object first.vgp", &again), 3);
	ck_assert_msg(strstr(again, "is not what patch first was built from") != NULL, "%s", again);
}
END_TEST

/* Both fixes in one patch, in one stop. */
START_TEST(a_cumulative_patch_replaces_both)
{
	_cleanup_free_ char *text = NULL, *all = NULL;

	make_project(_i);
	ck_assert_msg(build("second", "--depends-object first.vgp", &text) == 0, "%s", text);
	write_sources(".", 0);
	ck_assert_msg(vg_project_output(&all,
					"%s build --source . --diff first.diff --diff second.diff "
					"--target program --name all --replace -o all.vgp 2>&1",
					vgraft) == 0,
		      "%s", all);

	_cleanup_process_ struct vg_process *process = vg_project_start();

	expect_run(process, "apply first.vgp", "\"applied\"", "");
	expect_run(process, "apply second.vgp", "\"applied\"", "");
	vg_project_expect(process, "4\n", "10 1004 411\n");
	expect_run(process, "apply all.vgp", "\"applied\"", "\"replaced\":[\"first\",\"second\"]");
	vg_project_expect(process, "4\n", "10 1004 411\n");
	expect_run(process, "revert all", "\"reverted\"", "");
	vg_project_expect(process, "4\n", "14 8 15\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_depends");
	TCase *tcase = tcase_create("depends");
	char build_folder[4096];

	if (!getcwd(home, sizeof(home)) || !realpath(vg_build_folder(), build_folder))
		return 1;
	snprintf(vgraft, sizeof(vgraft), "%s/vgraft", build_folder);
	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, set_up, vg_project_leave);
	tcase_add_loop_test(tcase, a_second_patch_uses_the_functions_and_variables_of_the_first, 0,
			    sizeof(modes) / sizeof(modes[0]));
	tcase_add_test(tcase, what_only_a_cumulative_patch_can_do_is_refused_by_name);
	tcase_add_loop_test(tcase, a_cumulative_patch_replaces_both, 0,
			    sizeof(modes) / sizeof(modes[0]));
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
