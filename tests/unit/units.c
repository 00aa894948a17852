/* SPDX-License-Identifier: MIT */
/* From a diff to compiled units, on small projects that are built for each test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/unit.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"
#include "tests/lib/units_project.h"

START_TEST(only_the_touched_unit_is_compiled)
{
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c ");
	ck_assert_uint_eq(vg_tested.units.touched_count, 1);
	ck_assert_str_eq(vg_tested.units.touched[0], "src/main.c");
	ck_assert_ptr_nonnull(strstr(vg_tested.units.units[0].compiler, "GCC"));
	ck_assert_ptr_nonnull(strstr(vg_tested.units.units[0].output, "/tree/obj/0.o"));
	ck_assert_ptr_nonnull(strstr(vg_tested.explained, "unit src/main.c: touched"));
}
END_TEST

START_TEST(lines_and_file_names_stay_in_unchanged_functions)
{
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_compile("fix.diff");
	vg_units_assert_same_code("second", true);
	vg_units_assert_same_code("first", false);
	vg_project_shell("strings -a '%s' | grep -x src/main.c >&2",
			 vg_tested.units.units[0].post_object);
}
END_TEST

START_TEST(a_touched_header_reaches_the_units_that_include_it)
{
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
	ck_assert_ptr_nonnull(strstr(vg_tested.explained, "asking the compiler"));
}
END_TEST

START_TEST(current_dependency_files_save_asking_the_compiler)
{
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_project_shell("cd tree; for i in 0:main 1:other 2:apart; do gcc -O2 -g -Iinclude -MD -c "
			 "-o obj/${i%%:*}.o src/${i#*:}.c; done");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
	ck_assert_ptr_null(strstr(vg_tested.explained, "asking the compiler"));
	ck_assert_ptr_nonnull(strstr(vg_tested.explained, "obj/1.d"));
}
END_TEST

START_TEST(stale_dependency_files_are_not_believed)
{
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_project_shell("cd tree; gcc -MD -c -o obj/2.o src/apart.c;"
			 "sed -i '1i #include \"dev.h\"' src/apart.c");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/apart.c src/main.c src/other.c ");
}
END_TEST

static void make_with_ninja(const char *objects)
{
	vg_project_write("tree/build.ninja",
			 "rule cc\n  command = gcc -O2 -g -Iinclude -MD -MF $out.d -c -o $out $in\n"
			 "  depfile = $out.d\n  deps = gcc\n"
			 "build obj/0.o: cc src/main.c\nbuild obj/1.o: cc src/other.c\n"
			 "build obj/2.o: cc src/apart.c\n");
	if (system("command -v ninja >/dev/null"))
		vg_test_skip("ninja is not installed (Debian package ninja-build)");
	vg_project_shell("ninja -C tree %s >/dev/null && test ! -e tree/obj/0.o.d", objects);
}

START_TEST(ninjas_log_is_read_without_ninja)
{
	make_with_ninja("");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
	ck_assert_ptr_nonnull(strstr(vg_tested.explained, "tree/.ninja_deps"));
	ck_assert_ptr_null(strstr(vg_tested.explained, "asking the compiler"));
}
END_TEST

/* CMake lists the units of test programs, which hardly anybody builds. */
START_TEST(a_unit_that_ninja_never_made_beside_the_target_is_not_asked_about)
{
	make_with_ninja("obj/0.o");
	vg_project_shell("rm -f tree/obj/1.o && gcc -shared -o tree/obj/lib.so tree/obj/0.o");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_tested.target = "tree/obj/lib.so";
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c ");
	ck_assert_ptr_null(strstr(vg_tested.explained, "asking the compiler"));
}
END_TEST

START_TEST(a_unit_that_ninja_never_made_is_asked_about_if_the_target_is_from_elsewhere)
{
	make_with_ninja("obj/0.o");
	vg_project_shell("rm -f tree/obj/1.o && gcc -shared -o lib.so tree/obj/0.o");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_tested.target = "lib.so";
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
}
END_TEST

START_TEST(a_unit_that_includes_a_touched_unit_is_found)
{
	vg_project_write("tree/src/apart.c", "#include \"other.c\"\n");
	vg_units_make_diff("sed -i 's/return clamp(x);/return clamp(x) + 2;/' src/other.c");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/apart.c src/other.c ");
}
END_TEST

START_TEST(a_name_in_a_comment_or_in_a_longer_name_is_no_include)
{
	vg_project_write("tree/src/apart.c", "/* as other.c does */\n#define TEXT \"another.c\"\n");
	vg_units_make_diff("sed -i 's/return clamp(x);/return clamp(x) + 2;/' src/other.c");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/other.c ");
	ck_assert_ptr_null(strstr(vg_tested.explained, "asking the compiler"));
}
END_TEST

/* In a build directory of its own the differ asks the compiler once. */
START_TEST(what_units_include_is_noted_down_in_a_build_directory_of_our_own)
{
	vg_project_shell("sed -i 's,-o \\(obj/[0-9].o\\),-MD -MF \\1.d -o \\1,g' "
			 "tree/compile_commands.json");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_tested.own_build_directory = true;
	vg_units_must_compile("fix.diff");
	ck_assert_ptr_nonnull(strstr(vg_tested.explained, "asking the compiler"));
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
	vg_units_must_compile("fix.diff");
	vg_tested.own_build_directory = false;
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
	ck_assert_ptr_null(strstr(vg_tested.explained, "asking the compiler"));
}
END_TEST

/* Six units include the header; one uses what is new in it. */
START_TEST(units_that_mention_nothing_new_of_a_header_are_not_compiled)
{
	static const char *const sources[] = {"src/main.c", "src/other.c", "src/c1.c", "src/c2.c",
					      "src/c3.c",   "src/c4.c",	   NULL};

	vg_project_shell("for i in 1 2 3 4; do printf '#include \"dev.h\"\\nint c%%s(int x)"
			 "\\n{\\n\\treturn clamp(x);\\n}\\n' $i > tree/src/c$i.c; done");
	vg_units_write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -g -Iinclude",
			      sources);
	vg_units_make_diff("sed -i 's/^#endif/int fresh(int x);\\n#endif/' include/dev.h && "
			   "sed -i 's/return clamp(x);/return fresh(x);/' src/c3.c && "
			   "printf '\\nint fresh(int x)\\n{\\n\\treturn x;\\n}\\n' >> src/other.c");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/c3.c src/other.c ");
	ck_assert_ptr_nonnull(strstr(vg_tested.explained, "unit src/main.c: mentions nothing"));
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_units_must_compile("fix.diff");
	ck_assert_uint_eq(vg_tested.units.count, 6); /* they all call the inline function */
}
END_TEST

START_TEST(what_ninja_makes_from_a_touched_file_is_made_again)
{
	static const char *const sources[] = {"src/main.c", NULL};

	if (system("command -v ninja >/dev/null"))
		vg_test_skip("ninja is not installed (Debian package ninja-build)");
	vg_project_write("tree/limits.list", "LIMIT 16\n");
	vg_project_write("tree/build.ninja",
			 "rule gen\n  command = sed 's/^/#define /' $in > $out\n"
			 "build obj/limits.h: gen limits.list\n");
	vg_project_write(
		"tree/include/dev.h",
		"#include \"limits.h\"\nstatic inline int clamp(int x) { return x > LIMIT ? "
		"LIMIT : x; }\n");
	vg_units_write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -g -Iinclude -Iobj",
			      sources);
	vg_project_shell("ninja -C tree >/dev/null");
	vg_units_make_diff("sed -i 's/16/8/' limits.list");
	vg_units_must_compile("fix.diff");
	ck_assert_ptr_nonnull(strstr(vg_tested.explained, "generated again: obj/limits.h"));
	ck_assert_str_eq(vg_units_files(), "src/main.c ");
	vg_units_assert_same_code("first", false);
	vg_units_assert_same_code("second", true);
	vg_project_shell(
		"grep -q 'LIMIT 16' tree/obj/limits.h && grep -q 'LIMIT 16' tree/limits.list");
}
END_TEST

START_TEST(absolute_paths_and_other_build_folders_work)
{
	static const char *const plain[] = {"../tree/src/main.c", NULL};
	_cleanup_free_ char *flags = NULL, *absolute = NULL;
	const char *list[] = {NULL, NULL};

	vg_units_make_diff(FIX_MAIN " && sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	ck_assert_int_ge(asprintf(&flags, "gcc -O2 -I%s/tree/include", vg_project_root()), 0);
	ck_assert_int_ge(asprintf(&absolute, "%s/tree/src/main.c", vg_project_root()), 0);
	list[0] = absolute;
	vg_project_shell("mkdir -p elsewhere/gen tree/build; rm tree/compile_commands.json");
	vg_tested.compdb = "cc.json";

	const char *const *sources[] = {plain, list};

	for (size_t i = 0; i < 2; i++) {
		vg_units_write_compdb("cc.json", "elsewhere", flags, sources[i]);
		vg_units_must_compile("fix.diff");
		ck_assert_str_eq(vg_units_files(), "src/main.c ");
		vg_units_assert_same_code("second", true);
		/* 99 came from the patched header */
		_cleanup_free_ char *code =
			vg_units_code_of(vg_tested.units.units[0].post_object, "first");

		ck_assert_msg(strstr(code, "$0x63"), "%s", code);
		ck_assert_uint_eq(vg_tested.units.note_count, 0);
	}
}
END_TEST

START_TEST(generated_headers_of_a_build_folder_are_seen)
{
	static const char *const sources[] = {"../tree/src/main.c", NULL};

	vg_project_write("elsewhere/gen/config.h", "#define EXTRA 5\n");
	vg_project_shell("sed -i '1i #include \"config.h\"' tree/src/main.c");
	vg_units_make_diff("sed -i 's/x \\* 2/x * EXTRA/' src/main.c");
	vg_tested.compdb = "cc.json";
	vg_units_write_compdb("cc.json", "elsewhere", "gcc -O2 -Igen -I../tree/include", sources);
	vg_units_must_compile("fix.diff");
	vg_units_assert_same_code("second", false);
	vg_units_assert_same_code("first", true);
}
END_TEST

START_TEST(objects_are_the_same_bytes_wherever_the_private_directory_is)
{
	static const char *const compilers[] = {
		"gcc -O2 -g3 -Iinclude -frecord-gcc-switches -MD -MF obj/x.d",
		"clang-14 -O2 -g -Iinclude -MD -MF obj/x.d -grecord-command-line",
		"gcc -O0 -Iinclude -isystem include -include include/dev.h -gsplit-dwarf",
		"gcc -O2 -g -Iinclude -fdebug-prefix-map=/=/root/ -save-temps=obj",
	};
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_shell("sed -i '$a const char *when = __DATE__ __TIME__;' tree/src/main.c");
	vg_units_make_diff(FIX_MAIN);
	for (size_t i = 0; i < sizeof(compilers) / sizeof(compilers[0]); i++) {
		vg_units_write_compdb("tree/compile_commands.json", "tree", compilers[i], sources);
		for (size_t run = 0; run < 2; run++) {
			vg_project_shell("mkdir -p '%s/%s'", vg_project_root(),
					 run ? "another-one" : "tmp");

			_cleanup_free_ char *temp = NULL, *keep = NULL;

			ck_assert_int_ge(asprintf(&temp, "%s/%s", vg_project_root(),
						  run ? "another-one" : "tmp"),
					 0);
			setenv("TMPDIR", temp, 1);
			vg_units_must_compile("fix.diff");
			vg_project_shell("mkdir -p out%zu && cp '%s'/out/*.o out%zu", run,
					 vg_tested.units.directory, run);
			vg_project_shell("! grep -l vgraft-build out%zu/*.o", run);
			vg_units_clear(&vg_tested.units, false);
		}
		vg_project_shell("for f in out0/*.o; do cmp $f out1/${f##*/} || exit 1; done");
	}
	vg_project_shell("rm -rf tmp/*; test -z \"$(ls another-one)\"");
	setenv("TMPDIR", "tmp", 1);
}
END_TEST

START_TEST(the_plain_object_has_the_code_of_the_projects_own_build)
{
	vg_units_make_diff(FIX_MAIN);
	vg_project_shell("cd tree && gcc -O2 -g -Iinclude -c -o ../own.o src/main.c");
	vg_units_must_compile("fix.diff");
	vg_project_shell("cmp own.o '%s'", vg_tested.units.units[0].pre_object_plain);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("units");
	TCase *tcase = tcase_create("units");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, vg_units_enter, vg_units_leave);
	tcase_add_test(tcase, only_the_touched_unit_is_compiled);
	tcase_add_test(tcase, lines_and_file_names_stay_in_unchanged_functions);
	tcase_add_test(tcase, a_touched_header_reaches_the_units_that_include_it);
	tcase_add_test(tcase, current_dependency_files_save_asking_the_compiler);
	tcase_add_test(tcase, stale_dependency_files_are_not_believed);
	tcase_add_test(tcase, ninjas_log_is_read_without_ninja);
	tcase_add_test(tcase, a_unit_that_ninja_never_made_beside_the_target_is_not_asked_about);
	tcase_add_test(tcase,
		       a_unit_that_ninja_never_made_is_asked_about_if_the_target_is_from_elsewhere);
	tcase_add_test(tcase, a_unit_that_includes_a_touched_unit_is_found);
	tcase_add_test(tcase, a_name_in_a_comment_or_in_a_longer_name_is_no_include);
	tcase_add_test(tcase, what_units_include_is_noted_down_in_a_build_directory_of_our_own);
	tcase_add_test(tcase, units_that_mention_nothing_new_of_a_header_are_not_compiled);
	tcase_add_test(tcase, what_ninja_makes_from_a_touched_file_is_made_again);
	tcase_add_test(tcase, absolute_paths_and_other_build_folders_work);
	tcase_add_test(tcase, generated_headers_of_a_build_folder_are_seen);
	tcase_add_test(tcase, objects_are_the_same_bytes_wherever_the_private_directory_is);
	tcase_add_test(tcase, the_plain_object_has_the_code_of_the_projects_own_build);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
