/* SPDX-License-Identifier: MIT */
/* What builds do: flags, launchers, links, headers that move; and inputs that are not as they
 * should be. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/unit.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"
#include "tests/lib/units_project.h"

START_TEST(output_options_write_nothing_into_the_project)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_write("tree/obj/0.d", "precious\n");
	vg_units_write_compdb(
		"tree/compile_commands.json", "tree",
		"gcc -O2 -g -Iinclude -MD -MF obj/0.d -MT x -MP -save-temps -fstack-usage "
		"-fdump-tree-optimized -fopt-info-all=opt.txt --coverage -aux-info proto.txt "
		"-Wa,-aln=list.txt "
		"-Wp,-MMD,obj/y.d -gsplit-dwarf -dumpdir dump",
		sources);
	vg_units_make_diff(FIX_MAIN);
	vg_project_shell("find tree -printf '%%p %%m %%s %%T@\\n' | sort > before; "
			 "find tree -type f | sort | xargs sha256sum >> before");
	vg_units_must_compile("fix.diff");
	vg_project_shell("sed -i 's/int y = /int y = oops./' fix.diff");
	struct vg_error *error = vg_units_try("fix.diff");

	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	vg_error_free(error);
	vg_project_shell("find tree -printf '%%p %%m %%s %%T@\\n' | sort > after; "
			 "find tree -type f | sort | xargs sha256sum >> after; cmp before after");
}
END_TEST

START_TEST(lto_is_dropped_with_a_note)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_units_write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -flto=auto -Iinclude",
			      sources);
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_compile("fix.diff");
	ck_assert(vg_tested.units.units[0].lto_dropped);
	ck_assert(vg_units_has_note("-flto dropped for src/main.c"));
	vg_units_assert_same_code("second", true);
}
END_TEST

START_TEST(one_source_with_two_sets_of_flags_gives_two_units)
{
	vg_project_write("tree/compile_commands.json", "");
	vg_project_shell(
		"for f in -fPIC -fno-pic -fPIC; do echo '{\"directory\": \"'$PWD/tree'\", "
		"\"file\": \"src/main.c\", \"arguments\": [\"gcc\", \"-Iinclude\", \"'$f'\", "
		"\"-c\", \"src/main.c\", \"-o\", \"obj/'$f'.o\"]}'; done | paste -sd, | "
		"sed 's/^/[/; s/$/]/' > tree/compile_commands.json");
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c src/main.c ");
	ck_assert_ptr_nonnull(strstr(vg_tested.units.units[0].output, "-fPIC.o"));
}
END_TEST

START_TEST(launchers_response_files_and_quotes_are_understood)
{
	vg_project_write("tree/flags.rsp", "-Iinclude -DNAME=\"\\\"alpha beta\\\"\"\n-O2 ");
	vg_project_write("tree/compile_commands.json", "");
	vg_project_shell("echo '[{\"directory\": \"'$PWD/tree'\", \"file\": \"src/main.c\", "
			 "\"command\": \"env X=1 gcc @flags.rsp -c src/main.c\"}]' "
			 "> tree/compile_commands.json; "
			 "echo 'const char *name = NAME;' >> tree/src/main.c");
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_compile("fix.diff");
	vg_project_shell("strings -a '%s' | grep -x 'alpha beta' >&2",
			 vg_tested.units.units[0].post_object);
}
END_TEST

START_TEST(symbolic_links_in_the_tree_lead_to_patched_files)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_shell("cd tree && mkdir -p real && mv include/dev.h real/device.h && "
			 "ln -s ../real/device.h include/dev.h && ln -s include inc");
	vg_units_write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -Iinc", sources);
	vg_project_write("fix.diff",
			 "--- a/real/device.h\n+++ b/real/device.h\n@@ -2,3 +2,3 @@\n"
			 " #define DEV_H\n-#define LIMIT 16\n+#define LIMIT 99\n"
			 " static inline int clamp(int x) { return x > LIMIT ? LIMIT : x; "
			 "}\n");
	vg_units_must_compile("fix.diff");
	vg_units_assert_same_code("first", false);
}
END_TEST

START_TEST(headers_reached_through_a_neighbour_folder_are_patched)
{
	static const char *const sources[] = {"src/main.c", NULL};

	/* sub/dev.h is not touched itself; "../" in it leads to a file that is */
	vg_project_shell("cd tree && mkdir sub && mv include/dev.h include/limit.h && "
			 "echo '#include \"../include/limit.h\"' > sub/dev.h");
	vg_units_write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -Isub", sources);
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/limit.h");
	vg_units_must_compile("fix.diff");
	vg_units_assert_same_code("first", false);
}
END_TEST

START_TEST(sources_that_a_unit_includes_from_a_real_folder_are_found)
{
	vg_project_write("tree/src/table.c", "static const int table[] = {1, 2, 3};\n");
	vg_project_shell("cd tree && echo '#include \"table.c\"\nint fifth(int i)\n{\n"
			 "\treturn table[i];\n}' >> src/main.c");
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c ");
	vg_units_assert_same_code("fifth", true);
}
END_TEST

START_TEST(without_tmpdir_nothing_is_left_behind_either)
{
	vg_units_make_diff(FIX_MAIN);
	unsetenv("TMPDIR");
	vg_units_must_compile("fix.diff");

	_cleanup_free_ char *directory = strdup(vg_tested.units.directory);

	vg_project_shell("test -d '%s'", directory);
	vg_units_clear(&vg_tested.units, false);
	vg_project_shell("test ! -e '%s'", directory);
	setenv("TMPDIR", "tmp", 1);
}
END_TEST

START_TEST(instrumented_objects_name_the_counters_of_the_build)
{
	static const char *const sources[] = {"src/main.c", NULL};
	static const char *const compilers[] = {"gcc --coverage -Iinclude",
						"clang-14 --coverage -Iinclude",
						"gcc -fprofile-generate -Iinclude"};

	vg_units_make_diff(FIX_MAIN);
	for (size_t i = 0; i < 3; i++) {
		vg_units_write_compdb("tree/compile_commands.json", "tree", compilers[i], sources);
		vg_units_must_compile("fix.diff");
		vg_project_shell("strings -a '%s' | grep -qx '%s/tree/obj/0.gcda'",
				 vg_tested.units.units[0].post_object, vg_project_root());
		vg_project_shell("! grep -q vgraft-build '%s'",
				 vg_tested.units.units[0].post_object);
	}
}
END_TEST

START_TEST(an_include_by_absolute_path_leads_to_the_patched_file)
{
	vg_project_shell("sed -i \"s,\\\"dev.h\\\",\\\"$PWD/tree/include/dev.h\\\",\" "
			 "tree/src/main.c");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	vg_units_must_compile("fix.diff");
	vg_units_assert_same_code("first", false);
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h && " FIX_MAIN);
	vg_units_must_compile("fix.diff");
	vg_units_assert_same_code("first", false);
	vg_project_shell("! grep -q vgraft-build '%s'", vg_tested.units.units[0].post_object);
}
END_TEST

/* A diff that only the macro's file has seen: nobody can tell what it will be. */
START_TEST(an_include_of_a_macro_with_an_absolute_path_is_refused)
{
	vg_project_shell("sed -i \"s,#include \\\"dev.h\\\",#define DEV "
			 "\\\"$PWD/tree/include/dev.h\\\"\\n#include DEV,\" tree/src/main.c");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	vg_units_must_fail("fix.diff", VG_REFUSED, "by an absolute path");
}
END_TEST

START_TEST(the_source_that_makes_a_precompiled_header_is_no_unit)
{
	vg_project_write("tree/src/pch.c", "");
	vg_project_shell("cd tree && sed -i 's|^\\[|[{\"directory\": \".\", \"file\": "
			 "\"src/pch.c\", \"command\": \"gcc -Iinclude -x c-header -include "
			 "include/dev.h -o dev.h.gch -c src/pch.c\"},|' compile_commands.json");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
}
END_TEST

START_TEST(precompiled_headers_do_not_hide_a_touched_header)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_shell("cd tree && gcc -O2 -g -x c-header -o include/dev.h.gch include/dev.h");
	vg_units_write_compdb("tree/compile_commands.json", "tree",
			      "gcc -O2 -g -Iinclude -include dev.h", sources);
	vg_project_shell("cd tree && sed -i 's/#include <.*>//' src/main.c && sed -i "
			 "'1i void assert(int);int printf(const char *, ...);' src/main.c");
	vg_project_write("fix.diff",
			 "--- a/include/dev.h\n+++ b/include/dev.h\n@@ -2,3 +2,3 @@\n"
			 " #define DEV_H\n-#define LIMIT 16\n+#define LIMIT 99\n"
			 " static inline int clamp(int x) { return x > LIMIT ? LIMIT : x; "
			 "}\n");
	vg_units_must_compile("fix.diff");
	vg_units_assert_same_code("first", false);
}
END_TEST

START_TEST(new_renamed_and_deleted_headers_are_followed)
{
	vg_units_make_diff(
		"mv include/dev.h include/device.h && echo '#define NEW 7' > include/new.h && "
		"sed -i 's/dev.h/device.h/' src/main.c src/other.c && "
		"sed -i '1i #include \"new.h\"' src/main.c && sed -i 's/x \\* 2/x * NEW/' "
		"src/main.c");
	vg_units_must_compile("fix.diff");
	ck_assert_str_eq(vg_units_files(), "src/main.c src/other.c ");
	vg_units_assert_same_code("first", true);
	vg_units_assert_same_code("second", false);
	ck_assert_uint_eq(vg_tested.units.note_count, 0);
}
END_TEST

START_TEST(a_renamed_unit_is_compiled_under_its_new_name)
{
	vg_project_write("rename.diff", "diff --git a/src/other.c b/src/another.c\n"
					"similarity index 100%\n"
					"rename from src/other.c\n"
					"rename to src/another.c\n");
	vg_units_must_compile("rename.diff");
	ck_assert_str_eq(vg_units_files(), "src/other.c ");
	vg_units_assert_same_code("third", true);
}
END_TEST

START_TEST(documentation_is_ignored_with_a_note)
{
	vg_project_write("tree/README.md", "hello\n");
	vg_units_make_diff("echo world >> README.md");
	vg_units_must_compile("fix.diff");
	ck_assert_uint_eq(vg_tested.units.count, 0);
	ck_assert(vg_units_has_note("README.md ignored"));
}
END_TEST

START_TEST(a_source_that_nothing_compiles_is_refused_by_name)
{
	vg_project_write("tree/src/unbuilt.c", "int f(void)\n{\n\treturn 1;\n}\n");
	vg_units_make_diff("sed -i 's/1;/2;/' src/unbuilt.c");
	vg_units_must_fail("fix.diff", VG_REFUSED, "src/unbuilt.c: no entry of");
	vg_units_make_diff(FIX_MAIN " && echo 'int n;' > src/new.c");
	vg_units_must_fail("fix.diff", VG_REFUSED, "src/new.c: no entry of");
}
END_TEST

START_TEST(a_unit_of_the_target_without_a_compile_command_is_named_if_a_header_changes)
{
	vg_project_write("tree/src/forgotten.c", "#include \"dev.h\"\nint forgotten = LIMIT;\n");
	vg_project_shell("gcc -shared -fPIC -Itree/include -o lib.so tree/src/forgotten.c "
			 "tree/src/other.c");
	vg_tested.target = "lib.so";
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	vg_units_must_compile("fix.diff");
	ck_assert(vg_units_has_note("forgotten.c is in lib.so, but no entry of"));
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_compile("fix.diff");
	ck_assert(!vg_units_has_note("forgotten.c"));
	vg_project_shell("gcc -shared -fPIC -Itree/include -o lib.so tree/src/other.c");
	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	vg_units_must_compile("fix.diff");
	ck_assert(!vg_units_has_note("forgotten.c"));
}
END_TEST

START_TEST(a_unit_of_another_language_is_refused_by_name)
{
	static const char *const sources[] = {"src/x.cc", NULL};

	vg_project_write("tree/src/x.cc", "int f()\n{\n\treturn 1;\n}\n");
	vg_units_write_compdb("tree/compile_commands.json", "tree", "g++", sources);
	vg_units_make_diff("sed -i 's/1;/2;/' src/x.cc");
	vg_units_must_fail("fix.diff", VG_REFUSED, "src/x.cc, which is not C");
}
END_TEST

START_TEST(a_fix_that_does_not_compile_is_refused_with_file_and_line)
{
	vg_units_make_diff(FIX_MAIN
			   " && sed -i 's/return x \\* 2/return x * undeclared/' src/main.c");
	/* the line as it is in the patched file: three lines further down */
	vg_units_must_fail("fix.diff", VG_REFUSED, "src/main.c:17: 'undeclared' undeclared");
}
END_TEST

START_TEST(a_source_that_does_not_compile_as_it_is_is_refused)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_units_make_diff(FIX_MAIN);
	vg_units_write_compdb("tree/compile_commands.json", "tree", "gcc -O2", sources);
	vg_units_must_fail("fix.diff", VG_REFUSED,
			   "src/main.c:3: dev.h: No such file or directory");
	vg_units_must_fail("fix.diff", VG_REFUSED, "even without the diff");
}
END_TEST

START_TEST(a_compiler_that_is_not_there_is_named)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_units_make_diff(FIX_MAIN);
	vg_units_write_compdb("tree/compile_commands.json", "tree", "no-such-cc", sources);
	vg_units_must_fail("fix.diff", VG_FAILED, "cannot run the compiler no-such-cc");
}
END_TEST

START_TEST(missing_inputs_are_usage_errors)
{
	vg_units_make_diff(FIX_MAIN);
	vg_units_must_fail("none.diff", VG_USAGE, "cannot open none.diff");
	vg_tested.compdb = "none.json";
	vg_units_must_fail("fix.diff", VG_USAGE, "cannot open none.json");
	vg_tested.compdb = NULL;
	vg_project_shell("rm tree/compile_commands.json");
	vg_units_must_fail("fix.diff", VG_USAGE, "--compdb");
	vg_tested.source = "no-tree";
	vg_units_must_fail("fix.diff", VG_USAGE, "no-tree");
}
END_TEST

START_TEST(temporary_files_never_lie_in_the_source_tree)
{
	vg_units_make_diff(FIX_MAIN);
	vg_project_shell("mkdir tree/tmp");

	_cleanup_free_ char *temp = NULL;

	ck_assert_int_ge(asprintf(&temp, "%s/tree/tmp", vg_project_root()), 0);
	setenv("TMPDIR", temp, 1);
	vg_units_must_fail("fix.diff", VG_USAGE, "set TMPDIR");
}
END_TEST

START_TEST(an_interrupted_build_leaves_nothing_behind)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_write("slow-cc", "#!/bin/sh\necho > \"$STARTED\"\nexec sleep 60\n");
	vg_project_shell("chmod +x slow-cc && mkfifo started");
	vg_units_write_compdb("tree/compile_commands.json", "tree", "../slow-cc", sources);
	vg_units_make_diff(FIX_MAIN);

	_cleanup_free_ char *fifo = NULL;

	ck_assert_int_ge(asprintf(&fifo, "%s/started", vg_project_root()), 0);
	setenv("STARTED", fifo, 1);

	pid_t pid = fork();

	if (!pid) {
		signal(SIGTERM, SIG_DFL);

		struct vg_error *error = vg_units_try("fix.diff");

		_exit(vg_error_code(error));
	}
	vg_project_shell("head -c1 started >/dev/null");
	kill(pid, SIGTERM);

	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	vg_project_shell("test -z \"$(ls \"$TMPDIR\")\"");
}
END_TEST

START_TEST(what_a_killed_build_left_is_removed_by_the_next)
{
	vg_units_make_diff(FIX_MAIN);
	vg_project_shell("mkdir -p tmp/vgraft-build-dead1/a tmp/vgraft-build-kept1 && "
			 "touch tmp/vgraft-build-kept1/keep && "
			 "touch -d '2 hours ago' tmp/vgraft-build-*");
	vg_units_must_compile("fix.diff");
	vg_project_shell("test ! -e tmp/vgraft-build-dead1 && rm -r tmp/vgraft-build-kept1");
}
END_TEST

START_TEST(a_hook_is_compiled_with_the_flags_of_the_first_unit)
{
	_cleanup_free_ char *object = NULL;

	vg_units_make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	vg_project_write("hook.c", "#include \"dev.h\"\nint limit = LIMIT;\n"
				   "int hook(void)\n{\n\treturn clamp(limit);\n}\n");
	vg_units_must_compile("fix.diff");

	struct vg_error *error = vg_units_compile_extra(&vg_tested.units, "hook.c", &object);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	vg_project_shell("objdump -s -j .data.limit '%s' | grep 63000000 >&2", object);
	vg_project_write("hook.c", "int hook(void)\n{\n\treturn oops;\n}\n");
	free(vg_take(object));
	error = vg_units_compile_extra(&vg_tested.units, "hook.c", &object);
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "hook.c:3:"));
	vg_error_free(error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("units of builds");
	TCase *tcase = tcase_create("units of builds");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, vg_units_enter, vg_units_leave);
	tcase_add_test(tcase, output_options_write_nothing_into_the_project);
	tcase_add_test(tcase, lto_is_dropped_with_a_note);
	tcase_add_test(tcase, one_source_with_two_sets_of_flags_gives_two_units);
	tcase_add_test(tcase, launchers_response_files_and_quotes_are_understood);
	tcase_add_test(tcase, symbolic_links_in_the_tree_lead_to_patched_files);
	tcase_add_test(tcase, headers_reached_through_a_neighbour_folder_are_patched);
	tcase_add_test(tcase, sources_that_a_unit_includes_from_a_real_folder_are_found);
	tcase_add_test(tcase, without_tmpdir_nothing_is_left_behind_either);
	tcase_add_test(tcase, instrumented_objects_name_the_counters_of_the_build);
	tcase_add_test(tcase, an_include_by_absolute_path_leads_to_the_patched_file);
	tcase_add_test(tcase, an_include_of_a_macro_with_an_absolute_path_is_refused);
	tcase_add_test(tcase, the_source_that_makes_a_precompiled_header_is_no_unit);
	tcase_add_test(tcase, precompiled_headers_do_not_hide_a_touched_header);
	tcase_add_test(tcase, new_renamed_and_deleted_headers_are_followed);
	tcase_add_test(tcase, a_renamed_unit_is_compiled_under_its_new_name);
	tcase_add_test(tcase, documentation_is_ignored_with_a_note);
	tcase_add_test(tcase,
		       a_unit_of_the_target_without_a_compile_command_is_named_if_a_header_changes);
	tcase_add_test(tcase, a_source_that_nothing_compiles_is_refused_by_name);
	tcase_add_test(tcase, a_unit_of_another_language_is_refused_by_name);
	tcase_add_test(tcase, a_fix_that_does_not_compile_is_refused_with_file_and_line);
	tcase_add_test(tcase, a_source_that_does_not_compile_as_it_is_is_refused);
	tcase_add_test(tcase, a_compiler_that_is_not_there_is_named);
	tcase_add_test(tcase, missing_inputs_are_usage_errors);
	tcase_add_test(tcase, temporary_files_never_lie_in_the_source_tree);
	tcase_add_test(tcase, an_interrupted_build_leaves_nothing_behind);
	tcase_add_test(tcase, what_a_killed_build_left_is_removed_by_the_next);
	tcase_add_test(tcase, a_hook_is_compiled_with_the_flags_of_the_first_unit);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
