/* SPDX-License-Identifier: MIT */
/* Compile commands: read, found, captured, understood. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/capture.h"
#include "differ/compile_commands.h"
#include "differ/compile_flags.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

/* Words of a list with a bar behind each. */
static const char *joined(const struct vg_words *words)
{
	static char text[4096];

	text[0] = '\0';
	for (size_t i = 0; i < words->count; i++)
		strcat(strcat(text, words->items[i]), "|");
	return text;
}

static void assert_split(const char *line, const char *wanted)
{
	struct vg_words words = {0};

	vg_command_split(line, &words);
	ck_assert_str_eq(joined(&words), wanted);
	vg_words_clear(&words);
}

START_TEST(a_command_is_split_as_the_shell_would)
{
	assert_split("  gcc  -c\ta.c\n", "gcc|-c|a.c|");
	assert_split("gcc -DA='b c' -DB=\"d e\" -DC=f\\ g", "gcc|-DA=b c|-DB=d e|-DC=f g|");
	assert_split("-DS=\\\"x\\\" \"-DT=\\\"y\\\"\" '-DU=\"z\"'",
		     "-DS=\"x\"|-DT=\"y\"|-DU=\"z\"|");
	assert_split("\"a\\nb\" '' \"\"", "a\\nb|||");
	assert_split("a\"b c", "ab c|");
	assert_split("", "");
}
END_TEST

static struct vg_compile_commands commands;

static void read_commands(const char *json)
{
	vg_project_write("cc.json", json);

	struct vg_error *error = vg_compile_commands_add("cc.json", &commands);

	ck_assert_msg(!error, "%s", vg_error_text(error));
}

static void assert_unusable(const char *json, const char *words)
{
	vg_project_write("cc.json", json);

	struct vg_error *error = vg_compile_commands_add("cc.json", &commands);

	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	ck_assert_msg(strstr(vg_error_text(error), words), "%s", vg_error_text(error));
	vg_error_free(error);
}

START_TEST(entries_have_a_command_or_arguments_and_relative_paths)
{
	read_commands(
		"[{\"directory\": \"sub\", \"file\": \"../a.c\", \"command\": \"cc -c ../a.c\"},"
		" {\"directory\": \"/d\", \"file\": \"/s/b.c\", \"output\": \"o/b.o\","
		"  \"arguments\": [\"cc\", \"-c\", \"/s/b.c\", \"-DX=a b\"]}]");

	_cleanup_free_ char *path = NULL;

	ck_assert_int_ge(asprintf(&path, "%s/a.c", vg_project_root()), 0);
	ck_assert_uint_eq(commands.count, 2);
	ck_assert_str_eq(commands.commands[0].path, path);
	ck_assert_ptr_null(commands.commands[0].output);
	ck_assert_str_eq(commands.commands[1].output, "/d/o/b.o");
	ck_assert_str_eq(joined(&commands.commands[1].arguments), "cc|-c|/s/b.c|-DX=a b|");
}
END_TEST

START_TEST(response_files_are_read_where_the_command_runs)
{
	vg_project_write("sub/r.rsp", "-O2 '-DA=b c' @more.rsp");
	vg_project_write("sub/more.rsp", "-g");
	read_commands("[{\"directory\": \"sub\", \"file\": \"a.c\", "
		      "\"command\": \"cc @r.rsp @none -c a.c\"}]");
	ck_assert_str_eq(joined(&commands.commands[0].arguments),
			 "cc|-O2|-DA=b c|-g|@none|-c|a.c|");
}
END_TEST

START_TEST(several_databases_add_up)
{
	read_commands("[{\"directory\": \"/d\", \"file\": \"a.c\", \"command\": \"cc -c a.c\"}]");
	read_commands("[{\"directory\": \"/e\", \"file\": \"a.c\", \"command\": \"cc -c a.c\"}]");
	ck_assert_uint_eq(commands.count, 2);
	ck_assert_str_eq(commands.commands[1].path, "/e/a.c");
}
END_TEST

START_TEST(what_is_no_database_is_a_usage_error)
{
	assert_unusable("[{]", "cc.json:1: not JSON");
	assert_unusable("{}", "no compilation database");
	assert_unusable("[]", "no compilation database");
	assert_unusable("[{\"directory\": \"/\"}]", "entry 1: an entry without \"file\"");
	assert_unusable("[{\"file\": \"a.c\"}]", "neither \"command\" nor");
	assert_unusable("[1]", "entry 1");
}
END_TEST

static void assert_found(const char *target, const char *wanted)
{
	_cleanup_free_ char *path = NULL;
	struct vg_error *error = vg_compile_commands_find("src", target, &path);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	ck_assert_str_eq(path + strlen(vg_project_root()) + 1, wanted);
}

START_TEST(the_database_nearest_to_the_target_is_found)
{
	_cleanup_free_ char *path = NULL;
	struct vg_error *error;

	vg_project_write("src/build-a/compile_commands.json", "");
	vg_project_write("src/build-a/x/prog", "");
	vg_project_write("out/prog", "");
	assert_found(NULL, "src/build-a/compile_commands.json");
	assert_found("src/build-a/x/prog", "src/build-a/compile_commands.json");
	vg_project_write("src/build-b/compile_commands.json", "");
	error = vg_compile_commands_find("src", "out/prog", &path);
	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "build-b"));
	vg_error_free(error);
	vg_project_write("out/compile_commands.json", "");
	assert_found("out/prog", "out/compile_commands.json");
	vg_project_write("src/compile_commands.json", "");
	assert_found(NULL, "src/compile_commands.json");
}
END_TEST

static struct vg_compile_flags flags;

static void read_flags(const char *command)
{
	_cleanup_free_ char *json = NULL;

	ck_assert_int_ge(asprintf(&json,
				  "[{\"directory\": \"/d\", \"file\": \"s/a.c\", \"command\": "
				  "\"%s\"}]",
				  command),
			 0);
	vg_compile_commands_clear(&commands);
	vg_compile_flags_clear(&flags);
	read_commands(json);

	struct vg_error *error = vg_compile_flags_read(&commands.commands[0], &flags);

	ck_assert_msg(!error, "%s", vg_error_text(error));
}

START_TEST(options_that_say_where_output_goes_are_dropped)
{
	read_flags("ccache gcc -O2 -c -o x.o -ox.o -MD -MMD -MP -MF x.d -MFx.d -MT t -MQ q "
		   "-Wp,-MMD,x.d -save-temps=obj -fdump-tree-all -Xpreprocessor -MF -Xpreprocessor "
		   "x.d -fdiagnostics-color=always -dumpdir z s/a.c");
	ck_assert_str_eq(joined(&flags.words), "gcc|-O2|s/a.c|");
	ck_assert_uint_eq(flags.input, 2);
	ck_assert(flags.compiles && flags.c_language && !flags.clang && !flags.lto);
}
END_TEST

START_TEST(options_that_make_code_stay)
{
	const char *line =
		"gcc-12 -O3 -march=native -fPIC -fcf-protection -fstack-protector-strong "
		"-fpatchable-function-entry=8,2 -D_FORTIFY_SOURCE=2 -include x.h -DX -U Y "
		"-std=gnu11 -Wall -Werror --param max-inline-insns-auto=9";
	_cleanup_free_ char *command = NULL;

	ck_assert_int_ge(asprintf(&command, "%s -c /d/s/a.c", line), 0);
	read_flags(command);
	ck_assert_str_eq(joined(&flags.words),
			 "gcc-12|-O3|-march=native|-fPIC|-fcf-protection|-fstack-protector-strong|"
			 "-fpatchable-function-entry=8,2|-D_FORTIFY_SOURCE=2|-include|x.h|-DX|-U|Y|"
			 "-std=gnu11|-Wall|-Werror|--param|max-inline-insns-auto=9|/d/s/a.c|");
}
END_TEST

START_TEST(a_command_that_also_links_loses_what_the_linker_needs)
{
	read_flags("gcc -O2 s/a.c s/b.c lib.a -o prog -Llib -lm -Wl,-z,now -pie -shared");
	ck_assert_str_eq(joined(&flags.words), "gcc|-O2|s/a.c|");
}
END_TEST

START_TEST(the_last_word_on_lto_debug_and_sections_counts)
{
	read_flags("gcc -flto=auto -fno-lto -g -g0 -ffunction-sections -fdata-sections "
		   "-fno-data-sections -c s/a.c");
	ck_assert(!flags.lto && !flags.debug && flags.function_sections && !flags.data_sections);
	read_flags("clang-14 -fno-lto -flto=thin -g0 -gdwarf-5 -c s/a.c");
	ck_assert(flags.lto && flags.debug && flags.clang);
}
END_TEST

START_TEST(what_makes_no_object_or_is_not_c_is_known)
{
	read_flags("gcc -E s/a.c");
	ck_assert(!flags.compiles);
	read_flags("g++ -c s/a.c");
	ck_assert(!flags.c_language);
	read_flags("gcc -x c++ -c s/a.c");
	ck_assert(!flags.c_language);
}
END_TEST

START_TEST(a_build_is_captured_with_bear)
{
	_cleanup_free_ char *text = NULL;
	char *path = NULL;
	char *const build[] = {"make", "-s", NULL};

	if (system("command -v bear >/dev/null"))
		vg_test_skip("bear is not installed (Debian package bear)");
	vg_project_write("Makefile", "a.o: a.c\n\tgcc -O1 -c -o a.o a.c\n");
	vg_project_write("a.c", "int a;\n");

	struct vg_error *error = vg_compdb_capture(build, vg_project_root(), &path);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	error = vg_compile_commands_add(path, &commands);
	ck_assert_msg(!error, "%s", vg_error_text(error));
	ck_assert_uint_eq(commands.count, 1);
	ck_assert_int_eq(access(path, F_OK), 0);

	_cleanup_free_ char *copy = strdup(path);

	vg_compdb_capture_remove(path);
	ck_assert_int_ne(access(copy, F_OK), 0);
	error = vg_compdb_capture(build, vg_project_root(), &path);
	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "compiled nothing"));
	vg_error_free(error);
}
END_TEST

static void leave(void)
{
	vg_compile_commands_clear(&commands);
	vg_compile_flags_clear(&flags);
	vg_project_leave();
}

int main(void)
{
	Suite *suite = suite_create("compile_commands");
	TCase *tcase = tcase_create("compile_commands");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, vg_project_enter, leave);
	tcase_add_test(tcase, a_command_is_split_as_the_shell_would);
	tcase_add_test(tcase, entries_have_a_command_or_arguments_and_relative_paths);
	tcase_add_test(tcase, response_files_are_read_where_the_command_runs);
	tcase_add_test(tcase, several_databases_add_up);
	tcase_add_test(tcase, what_is_no_database_is_a_usage_error);
	tcase_add_test(tcase, the_database_nearest_to_the_target_is_found);
	tcase_add_test(tcase, options_that_say_where_output_goes_are_dropped);
	tcase_add_test(tcase, options_that_make_code_stay);
	tcase_add_test(tcase, a_command_that_also_links_loses_what_the_linker_needs);
	tcase_add_test(tcase, the_last_word_on_lto_debug_and_sections_counts);
	tcase_add_test(tcase, what_makes_no_object_or_is_not_c_is_known);
	tcase_add_test(tcase, what_makes_no_object_or_is_not_c_is_known);
	tcase_add_test(tcase, a_build_is_captured_with_bear);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
