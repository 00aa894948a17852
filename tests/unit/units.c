/* SPDX-License-Identifier: MIT */
/* From a diff to compiled units, on small projects that are built for each test. */
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

#define HEADER                                                                                     \
	"#ifndef DEV_H\n#define DEV_H\n#define LIMIT 16\n"                                         \
	"static inline int clamp(int x) { return x > LIMIT ? LIMIT : x; }\n#endif\n"
#define MAIN                                                                                       \
	"#include <assert.h>\n#include <stdio.h>\n#include \"dev.h\"\n\nint first(int x)\n{\n"     \
	"\treturn clamp(x) + 1;\n}\n\nint second(int x)\n{\n\tassert(x != 3);\n"                   \
	"\tprintf(\"%s:%d\\n\", __FILE__, __LINE__);\n\treturn x * 2;\n}\n"
#define OTHER "#include \"dev.h\"\nint third(int x)\n{\n\treturn clamp(x);\n}\n"
#define APART "int fourth(int x)\n{\n\treturn x + 4;\n}\n"

static struct vg_units units;
static const char *source = "tree", *compdb, *target;
static bool own_build_directory;
static char explained[65536];

static void explain(void *context, const char *line)
{
	size_t used = strlen(explained);

	(void)context;
	snprintf(explained + used, sizeof(explained) - used, "%s\n", line);
}

static struct vg_error *try_compile(const char *diff)
{
	struct vg_build_request request = {
		.source = source,
		.diffs = &diff,
		.diff_count = 1,
		.target = target,
		.compdbs = &compdb,
		.compdb_count = compdb ? 1 : 0,
		.own_build_directory = own_build_directory,
		.explain = explain,
	};

	vg_units_clear(&units, false);
	explained[0] = '\0';
	return vg_units_compile(&request, &units);
}

static void compile(const char *diff)
{
	struct vg_error *error = try_compile(diff);

	ck_assert_msg(!error, "%s", vg_error_text(error));
}

static void assert_fails(const char *diff, enum vg_code code, const char *words)
{
	struct vg_error *error = try_compile(diff);

	ck_assert_msg(vg_error_code(error) == code, "%s", vg_error_text(error));
	ck_assert_msg(strstr(vg_error_text(error), words), "%s", vg_error_text(error));
	vg_error_free(error);
	ck_assert_uint_eq(units.count, 0);
	ck_assert_ptr_null(units.directory);
	/* nothing is left in TMPDIR */
	vg_project_shell("test -z \"$(ls \"$TMPDIR\")\"");
}

/* The files of the units, in their order, with a blank behind each. */
static const char *files(void)
{
	static char text[4096];

	text[0] = '\0';
	for (size_t i = 0; i < units.count; i++)
		strcat(strcat(text, units.units[i].file), " ");
	return text;
}

static bool has_note(const char *words)
{
	for (size_t i = 0; i < units.note_count; i++)
		if (strstr(units.notes[i], words))
			return true;
	return false;
}

/* Writes fix.diff: what the shell command does to a copy of the tree. */
static void make_diff(const char *command)
{
	vg_project_shell("rm -rf copy && cp -a tree copy && cd copy && git init -q . && "
			 "git add -Af . && git -c user.name=x -c user.email=x@y commit -qm x && "
			 "{ %s; } && git add -Af . && git diff --cached -M > ../fix.diff && "
			 "test -s ../fix.diff && rm -rf ../copy",
			 command);
}

/* A compdb whose entries all run `flags` in `directory`. */
static void write_compdb(const char *path, const char *directory, const char *compiler,
			 const char *const sources[])
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "[");
	for (size_t i = 0; sources[i]; i++)
		fprintf(out,
			"%s{\"directory\": \"%s/%s\", \"file\": \"%s\", "
			"\"command\": \"%s -c -o obj/%zu.o %s\"}",
			i ? "," : "", vg_project_root(), directory, sources[i], compiler, i,
			sources[i]);
	fprintf(out, "]\n");
	fclose(out);
	vg_project_write(path, text);
}

static void enter(void)
{
	static const char *const sources[] = {"src/main.c", "src/other.c", "src/apart.c", NULL};

	vg_project_enter();
	vg_project_write("tree/include/dev.h", HEADER);
	vg_project_write("tree/src/main.c", MAIN);
	vg_project_shell("mkdir tree/obj tmp");
	vg_project_write("tree/src/other.c", OTHER);
	vg_project_write("tree/src/apart.c", APART);
	write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -g -Iinclude", sources);

	_cleanup_free_ char *temp = NULL;

	ck_assert_int_ge(asprintf(&temp, "%s/tmp", vg_project_root()), 0);
	setenv("TMPDIR", temp, 1);
}

static void leave(void)
{
	vg_units_clear(&units, false);
	vg_project_shell("test -z \"$(ls \"$TMPDIR\")\"");
	vg_project_leave();
}

#define FIX_MAIN                                                                                   \
	"sed -i 's/return clamp(x) + 1;/int y = clamp(x);\\n\\tif (y < 0)\\n\\t\\treturn 0;\\n"    \
	"\\treturn y + 1;/' src/main.c"

/* The code of one function of an object as hex, from its own section. */
static char *code_of(const char *object, const char *function)
{
	char *text = NULL;

	vg_project_output(&text, "objdump -drw -j .text.%s '%s' | tail -n +4", function, object);
	ck_assert_msg(text[0], "%s has no %s", object, function);
	return text;
}

static void assert_same_code(const char *function, bool same)
{
	_cleanup_free_ char *pre = code_of(units.units[0].pre_object, function);
	_cleanup_free_ char *post = code_of(units.units[0].post_object, function);

	ck_assert_msg(!strcmp(pre, post) == same, "%s:\n%s\n%s", function, pre, post);
}

START_TEST(only_the_touched_unit_is_compiled)
{
	make_diff(FIX_MAIN);
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/main.c ");
	ck_assert_uint_eq(units.touched_count, 1);
	ck_assert_str_eq(units.touched[0], "src/main.c");
	ck_assert_ptr_nonnull(strstr(units.units[0].compiler, "GCC"));
	ck_assert_ptr_nonnull(strstr(units.units[0].output, "/tree/obj/0.o"));
	ck_assert_ptr_nonnull(strstr(explained, "unit src/main.c: touched"));
}
END_TEST

START_TEST(lines_and_file_names_stay_in_unchanged_functions)
{
	make_diff(FIX_MAIN);
	compile("fix.diff");
	assert_same_code("second", true);
	assert_same_code("first", false);
	vg_project_shell("strings -a '%s' | grep -x src/main.c >&2", units.units[0].post_object);
}
END_TEST

START_TEST(a_touched_header_reaches_the_units_that_include_it)
{
	make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/main.c src/other.c ");
	ck_assert_ptr_nonnull(strstr(explained, "asking the compiler"));
}
END_TEST

START_TEST(current_dependency_files_save_asking_the_compiler)
{
	make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_project_shell("cd tree; for i in 0:main 1:other 2:apart; do gcc -O2 -g -Iinclude -MD -c "
			 "-o obj/${i%%:*}.o src/${i#*:}.c; done");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/main.c src/other.c ");
	ck_assert_ptr_null(strstr(explained, "asking the compiler"));
	ck_assert_ptr_nonnull(strstr(explained, "obj/1.d"));
}
END_TEST

START_TEST(stale_dependency_files_are_not_believed)
{
	make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	vg_project_shell("cd tree; gcc -MD -c -o obj/2.o src/apart.c;"
			 "sed -i '1i #include \"dev.h\"' src/apart.c");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/apart.c src/main.c src/other.c ");
}
END_TEST

START_TEST(ninjas_log_is_read_without_ninja)
{
	vg_project_write("tree/build.ninja",
			 "rule cc\n  command = gcc -O2 -g -Iinclude -MD -MF $out.d -c -o $out $in\n"
			 "  depfile = $out.d\n  deps = gcc\n"
			 "build obj/0.o: cc src/main.c\nbuild obj/1.o: cc src/other.c\n"
			 "build obj/2.o: cc src/apart.c\n");
	if (system("command -v ninja >/dev/null"))
		vg_test_skip("ninja is not installed (Debian package ninja-build)");
	vg_project_shell("ninja -C tree >/dev/null && test ! -e tree/obj/1.o.d");
	make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/main.c src/other.c ");
	ck_assert_ptr_nonnull(strstr(explained, "tree/.ninja_deps"));
	ck_assert_ptr_null(strstr(explained, "asking the compiler"));
}
END_TEST

START_TEST(a_unit_that_includes_a_touched_unit_is_found)
{
	vg_project_write("tree/src/apart.c", "#include \"other.c\"\n");
	make_diff("sed -i 's/return clamp(x);/return clamp(x) + 2;/' src/other.c");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/apart.c src/other.c ");
}
END_TEST

START_TEST(a_name_in_a_comment_or_in_a_longer_name_is_no_include)
{
	vg_project_write("tree/src/apart.c", "/* as other.c does */\n#define TEXT \"another.c\"\n");
	make_diff("sed -i 's/return clamp(x);/return clamp(x) + 2;/' src/other.c");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/other.c ");
	ck_assert_ptr_null(strstr(explained, "asking the compiler"));
}
END_TEST

/* In a build directory of its own the differ asks the compiler once. */
START_TEST(what_units_include_is_noted_down_in_a_build_directory_of_our_own)
{
	vg_project_shell("sed -i 's,-o \\(obj/[0-9].o\\),-MD -MF \\1.d -o \\1,g' "
			 "tree/compile_commands.json");
	make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	own_build_directory = true;
	compile("fix.diff");
	ck_assert_ptr_nonnull(strstr(explained, "asking the compiler"));
	ck_assert_str_eq(files(), "src/main.c src/other.c ");
	compile("fix.diff");
	own_build_directory = false;
	ck_assert_str_eq(files(), "src/main.c src/other.c ");
	ck_assert_ptr_null(strstr(explained, "asking the compiler"));
}
END_TEST

/* Six units include the header; one uses what is new in it. */
START_TEST(units_that_mention_nothing_new_of_a_header_are_not_compiled)
{
	static const char *const sources[] = {"src/main.c", "src/other.c", "src/c1.c", "src/c2.c",
					      "src/c3.c",   "src/c4.c",	   NULL};

	vg_project_shell("for i in 1 2 3 4; do printf '#include \"dev.h\"\\nint c%%s(int x)"
			 "\\n{\\n\\treturn clamp(x);\\n}\\n' $i > tree/src/c$i.c; done");
	write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -g -Iinclude", sources);
	make_diff("sed -i 's/^#endif/int fresh(int x);\\n#endif/' include/dev.h && "
		  "sed -i 's/return clamp(x);/return fresh(x);/' src/c3.c && "
		  "printf '\\nint fresh(int x)\\n{\\n\\treturn x;\\n}\\n' >> src/other.c");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/c3.c src/other.c ");
	ck_assert_ptr_nonnull(strstr(explained, "unit src/main.c: mentions nothing"));
	make_diff("sed -i 's/LIMIT 16/LIMIT 8/' include/dev.h");
	compile("fix.diff");
	ck_assert_uint_eq(units.count, 6); /* they all call the inline function */
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
	write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -g -Iinclude -Iobj", sources);
	vg_project_shell("ninja -C tree >/dev/null");
	make_diff("sed -i 's/16/8/' limits.list");
	compile("fix.diff");
	ck_assert_ptr_nonnull(strstr(explained, "generated again: obj/limits.h"));
	ck_assert_str_eq(files(), "src/main.c ");
	assert_same_code("first", false);
	assert_same_code("second", true);
	vg_project_shell(
		"grep -q 'LIMIT 16' tree/obj/limits.h && grep -q 'LIMIT 16' tree/limits.list");
}
END_TEST

START_TEST(absolute_paths_and_other_build_folders_work)
{
	static const char *const plain[] = {"../tree/src/main.c", NULL};
	_cleanup_free_ char *flags = NULL, *absolute = NULL;
	const char *list[] = {NULL, NULL};

	make_diff(FIX_MAIN " && sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	ck_assert_int_ge(asprintf(&flags, "gcc -O2 -I%s/tree/include", vg_project_root()), 0);
	ck_assert_int_ge(asprintf(&absolute, "%s/tree/src/main.c", vg_project_root()), 0);
	list[0] = absolute;
	vg_project_shell("mkdir -p elsewhere/gen tree/build; rm tree/compile_commands.json");
	compdb = "cc.json";

	const char *const *sources[] = {plain, list};

	for (size_t i = 0; i < 2; i++) {
		write_compdb("cc.json", "elsewhere", flags, sources[i]);
		compile("fix.diff");
		ck_assert_str_eq(files(), "src/main.c ");
		assert_same_code("second", true);
		/* 99 came from the patched header */
		_cleanup_free_ char *code = code_of(units.units[0].post_object, "first");

		ck_assert_msg(strstr(code, "$0x63"), "%s", code);
		ck_assert_uint_eq(units.note_count, 0);
	}
}
END_TEST

START_TEST(generated_headers_of_a_build_folder_are_seen)
{
	static const char *const sources[] = {"../tree/src/main.c", NULL};

	vg_project_write("elsewhere/gen/config.h", "#define EXTRA 5\n");
	vg_project_shell("sed -i '1i #include \"config.h\"' tree/src/main.c");
	make_diff("sed -i 's/x \\* 2/x * EXTRA/' src/main.c");
	compdb = "cc.json";
	write_compdb("cc.json", "elsewhere", "gcc -O2 -Igen -I../tree/include", sources);
	compile("fix.diff");
	assert_same_code("second", false);
	assert_same_code("first", true);
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
	make_diff(FIX_MAIN);
	for (size_t i = 0; i < sizeof(compilers) / sizeof(compilers[0]); i++) {
		write_compdb("tree/compile_commands.json", "tree", compilers[i], sources);
		for (size_t run = 0; run < 2; run++) {
			vg_project_shell("mkdir -p '%s/%s'", vg_project_root(),
					 run ? "another-one" : "tmp");

			_cleanup_free_ char *temp = NULL, *keep = NULL;

			ck_assert_int_ge(asprintf(&temp, "%s/%s", vg_project_root(),
						  run ? "another-one" : "tmp"),
					 0);
			setenv("TMPDIR", temp, 1);
			compile("fix.diff");
			vg_project_shell("mkdir -p out%zu && cp '%s'/out/*.o out%zu", run,
					 units.directory, run);
			vg_project_shell("! grep -l vgraft-build out%zu/*.o", run);
			vg_units_clear(&units, false);
		}
		vg_project_shell("for f in out0/*.o; do cmp $f out1/${f##*/} || exit 1; done");
	}
	vg_project_shell("rm -rf tmp/*; test -z \"$(ls another-one)\"");
	setenv("TMPDIR", "tmp", 1);
}
END_TEST

START_TEST(the_plain_object_has_the_code_of_the_projects_own_build)
{
	make_diff(FIX_MAIN);
	vg_project_shell("cd tree && gcc -O2 -g -Iinclude -c -o ../own.o src/main.c");
	compile("fix.diff");
	vg_project_shell("cmp own.o '%s'", units.units[0].pre_object_plain);
}
END_TEST

START_TEST(output_options_write_nothing_into_the_project)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_write("tree/obj/0.d", "precious\n");
	write_compdb("tree/compile_commands.json", "tree",
		     "gcc -O2 -g -Iinclude -MD -MF obj/0.d -MT x -MP -save-temps -fstack-usage "
		     "-fdump-tree-optimized --coverage -aux-info proto.txt -Wa,-aln=list.txt "
		     "-Wp,-MMD,obj/y.d -gsplit-dwarf -dumpdir dump",
		     sources);
	make_diff(FIX_MAIN);
	vg_project_shell("find tree -printf '%%p %%m %%s %%T@\\n' | sort > before; "
			 "find tree -type f | sort | xargs sha256sum >> before");
	compile("fix.diff");
	vg_project_shell("sed -i 's/int y = /int y = oops./' fix.diff");
	struct vg_error *error = try_compile("fix.diff");

	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	vg_error_free(error);
	vg_project_shell("find tree -printf '%%p %%m %%s %%T@\\n' | sort > after; "
			 "find tree -type f | sort | xargs sha256sum >> after; cmp before after");
}
END_TEST

START_TEST(lto_is_dropped_with_a_note)
{
	static const char *const sources[] = {"src/main.c", NULL};

	write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -flto=auto -Iinclude", sources);
	make_diff(FIX_MAIN);
	compile("fix.diff");
	ck_assert(units.units[0].lto_dropped);
	ck_assert(has_note("-flto dropped for src/main.c"));
	assert_same_code("second", true);
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
	make_diff(FIX_MAIN);
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/main.c src/main.c ");
	ck_assert_ptr_nonnull(strstr(units.units[0].output, "-fPIC.o"));
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
	make_diff(FIX_MAIN);
	compile("fix.diff");
	vg_project_shell("strings -a '%s' | grep -x 'alpha beta' >&2", units.units[0].post_object);
}
END_TEST

START_TEST(symbolic_links_in_the_tree_lead_to_patched_files)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_shell("cd tree && mkdir -p real && mv include/dev.h real/device.h && "
			 "ln -s ../real/device.h include/dev.h && ln -s include inc");
	write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -Iinc", sources);
	vg_project_write("fix.diff",
			 "--- a/real/device.h\n+++ b/real/device.h\n@@ -2,3 +2,3 @@\n"
			 " #define DEV_H\n-#define LIMIT 16\n+#define LIMIT 99\n"
			 " static inline int clamp(int x) { return x > LIMIT ? LIMIT : x; "
			 "}\n");
	compile("fix.diff");
	assert_same_code("first", false);
}
END_TEST

START_TEST(headers_reached_through_a_neighbour_folder_are_patched)
{
	static const char *const sources[] = {"src/main.c", NULL};

	/* sub/dev.h is not touched itself; "../" in it leads to a file that is */
	vg_project_shell("cd tree && mkdir sub && mv include/dev.h include/limit.h && "
			 "echo '#include \"../include/limit.h\"' > sub/dev.h");
	write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -Isub", sources);
	make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/limit.h");
	compile("fix.diff");
	assert_same_code("first", false);
}
END_TEST

START_TEST(sources_that_a_unit_includes_from_a_real_folder_are_found)
{
	vg_project_write("tree/src/table.c", "static const int table[] = {1, 2, 3};\n");
	vg_project_shell("cd tree && echo '#include \"table.c\"\nint fifth(int i)\n{\n"
			 "\treturn table[i];\n}' >> src/main.c");
	make_diff(FIX_MAIN);
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/main.c ");
	assert_same_code("fifth", true);
}
END_TEST

START_TEST(without_tmpdir_nothing_is_left_behind_either)
{
	make_diff(FIX_MAIN);
	unsetenv("TMPDIR");
	compile("fix.diff");

	_cleanup_free_ char *directory = strdup(units.directory);

	vg_project_shell("test -d '%s'", directory);
	vg_units_clear(&units, false);
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

	make_diff(FIX_MAIN);
	for (size_t i = 0; i < 3; i++) {
		write_compdb("tree/compile_commands.json", "tree", compilers[i], sources);
		compile("fix.diff");
		vg_project_shell("strings -a '%s' | grep -qx '%s/tree/obj/0.gcda'",
				 units.units[0].post_object, vg_project_root());
		vg_project_shell("! grep -q vgraft-build '%s'", units.units[0].post_object);
	}
}
END_TEST

START_TEST(an_include_by_absolute_path_of_a_touched_file_is_refused)
{
	vg_project_shell("sed -i \"s,\\\"dev.h\\\",\\\"$PWD/tree/include/dev.h\\\",\" "
			 "tree/src/main.c");
	make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	assert_fails("fix.diff", VG_REFUSED, "by an absolute path");
}
END_TEST

START_TEST(precompiled_headers_do_not_hide_a_touched_header)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_shell("cd tree && gcc -O2 -g -x c-header -o include/dev.h.gch include/dev.h");
	write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -g -Iinclude -include dev.h",
		     sources);
	vg_project_shell("cd tree && sed -i 's/#include <.*>//' src/main.c && sed -i "
			 "'1i void assert(int);int printf(const char *, ...);' src/main.c");
	vg_project_write("fix.diff",
			 "--- a/include/dev.h\n+++ b/include/dev.h\n@@ -2,3 +2,3 @@\n"
			 " #define DEV_H\n-#define LIMIT 16\n+#define LIMIT 99\n"
			 " static inline int clamp(int x) { return x > LIMIT ? LIMIT : x; "
			 "}\n");
	compile("fix.diff");
	assert_same_code("first", false);
}
END_TEST

START_TEST(new_renamed_and_deleted_headers_are_followed)
{
	make_diff("mv include/dev.h include/device.h && echo '#define NEW 7' > include/new.h && "
		  "sed -i 's/dev.h/device.h/' src/main.c src/other.c && "
		  "sed -i '1i #include \"new.h\"' src/main.c && sed -i 's/x \\* 2/x * NEW/' "
		  "src/main.c");
	compile("fix.diff");
	ck_assert_str_eq(files(), "src/main.c src/other.c ");
	assert_same_code("first", true);
	assert_same_code("second", false);
	ck_assert_uint_eq(units.note_count, 0);
}
END_TEST

START_TEST(a_renamed_unit_is_compiled_under_its_new_name)
{
	vg_project_write("rename.diff", "diff --git a/src/other.c b/src/another.c\n"
					"similarity index 100%\n"
					"rename from src/other.c\n"
					"rename to src/another.c\n");
	compile("rename.diff");
	ck_assert_str_eq(files(), "src/other.c ");
	assert_same_code("third", true);
}
END_TEST

START_TEST(documentation_is_ignored_with_a_note)
{
	vg_project_write("tree/README.md", "hello\n");
	make_diff("echo world >> README.md");
	compile("fix.diff");
	ck_assert_uint_eq(units.count, 0);
	ck_assert(has_note("README.md ignored"));
}
END_TEST

START_TEST(a_source_that_nothing_compiles_is_refused_by_name)
{
	vg_project_write("tree/src/unbuilt.c", "int f(void)\n{\n\treturn 1;\n}\n");
	make_diff("sed -i 's/1;/2;/' src/unbuilt.c");
	assert_fails("fix.diff", VG_REFUSED, "src/unbuilt.c: no entry of");
	make_diff(FIX_MAIN " && echo 'int n;' > src/new.c");
	assert_fails("fix.diff", VG_REFUSED, "src/new.c: no entry of");
}
END_TEST

START_TEST(a_unit_of_another_language_is_refused_by_name)
{
	static const char *const sources[] = {"src/x.cc", NULL};

	vg_project_write("tree/src/x.cc", "int f()\n{\n\treturn 1;\n}\n");
	write_compdb("tree/compile_commands.json", "tree", "g++", sources);
	make_diff("sed -i 's/1;/2;/' src/x.cc");
	assert_fails("fix.diff", VG_REFUSED, "src/x.cc, which is not C");
}
END_TEST

START_TEST(a_fix_that_does_not_compile_is_refused_with_file_and_line)
{
	make_diff(FIX_MAIN " && sed -i 's/return x \\* 2/return x * undeclared/' src/main.c");
	/* the line as it is in the patched file: three lines further down */
	assert_fails("fix.diff", VG_REFUSED, "src/main.c:17: 'undeclared' undeclared");
}
END_TEST

START_TEST(a_source_that_does_not_compile_as_it_is_is_refused)
{
	static const char *const sources[] = {"src/main.c", NULL};

	make_diff(FIX_MAIN);
	write_compdb("tree/compile_commands.json", "tree", "gcc -O2", sources);
	assert_fails("fix.diff", VG_REFUSED, "src/main.c:3: dev.h: No such file or directory");
	assert_fails("fix.diff", VG_REFUSED, "even without the diff");
}
END_TEST

START_TEST(a_compiler_that_is_not_there_is_named)
{
	static const char *const sources[] = {"src/main.c", NULL};

	make_diff(FIX_MAIN);
	write_compdb("tree/compile_commands.json", "tree", "no-such-cc", sources);
	assert_fails("fix.diff", VG_FAILED, "cannot run the compiler no-such-cc");
}
END_TEST

START_TEST(missing_inputs_are_usage_errors)
{
	make_diff(FIX_MAIN);
	assert_fails("none.diff", VG_USAGE, "cannot open none.diff");
	compdb = "none.json";
	assert_fails("fix.diff", VG_USAGE, "cannot open none.json");
	compdb = NULL;
	vg_project_shell("rm tree/compile_commands.json");
	assert_fails("fix.diff", VG_USAGE, "--compdb");
	source = "no-tree";
	assert_fails("fix.diff", VG_USAGE, "no-tree");
}
END_TEST

START_TEST(temporary_files_never_lie_in_the_source_tree)
{
	make_diff(FIX_MAIN);
	vg_project_shell("mkdir tree/tmp");

	_cleanup_free_ char *temp = NULL;

	ck_assert_int_ge(asprintf(&temp, "%s/tree/tmp", vg_project_root()), 0);
	setenv("TMPDIR", temp, 1);
	assert_fails("fix.diff", VG_USAGE, "set TMPDIR");
}
END_TEST

START_TEST(an_interrupted_build_leaves_nothing_behind)
{
	static const char *const sources[] = {"src/main.c", NULL};

	vg_project_write("slow-cc", "#!/bin/sh\necho > \"$STARTED\"\nexec sleep 60\n");
	vg_project_shell("chmod +x slow-cc && mkfifo started");
	write_compdb("tree/compile_commands.json", "tree", "../slow-cc", sources);
	make_diff(FIX_MAIN);

	_cleanup_free_ char *fifo = NULL;

	ck_assert_int_ge(asprintf(&fifo, "%s/started", vg_project_root()), 0);
	setenv("STARTED", fifo, 1);

	pid_t pid = fork();

	if (!pid) {
		signal(SIGTERM, SIG_DFL);

		struct vg_error *error = try_compile("fix.diff");

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
	make_diff(FIX_MAIN);
	vg_project_shell("mkdir -p tmp/vgraft-build-dead1/a tmp/vgraft-build-kept1 && "
			 "touch tmp/vgraft-build-kept1/keep && "
			 "touch -d '2 hours ago' tmp/vgraft-build-*");
	compile("fix.diff");
	vg_project_shell("test ! -e tmp/vgraft-build-dead1 && rm -r tmp/vgraft-build-kept1");
}
END_TEST

START_TEST(a_hook_is_compiled_with_the_flags_of_the_first_unit)
{
	_cleanup_free_ char *object = NULL;

	make_diff("sed -i 's/LIMIT 16/LIMIT 99/' include/dev.h");
	vg_project_write("hook.c", "#include \"dev.h\"\nint limit = LIMIT;\n"
				   "int hook(void)\n{\n\treturn clamp(limit);\n}\n");
	compile("fix.diff");

	struct vg_error *error = vg_units_compile_extra(&units, "hook.c", &object);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	vg_project_shell("objdump -s -j .data.limit '%s' | grep 63000000 >&2", object);
	vg_project_write("hook.c", "int hook(void)\n{\n\treturn oops;\n}\n");
	free(vg_take(object));
	error = vg_units_compile_extra(&units, "hook.c", &object);
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "hook.c:3:"));
	vg_error_free(error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("units");
	TCase *tcase = tcase_create("units");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, enter, leave);
	tcase_add_test(tcase, only_the_touched_unit_is_compiled);
	tcase_add_test(tcase, lines_and_file_names_stay_in_unchanged_functions);
	tcase_add_test(tcase, a_touched_header_reaches_the_units_that_include_it);
	tcase_add_test(tcase, current_dependency_files_save_asking_the_compiler);
	tcase_add_test(tcase, stale_dependency_files_are_not_believed);
	tcase_add_test(tcase, ninjas_log_is_read_without_ninja);
	tcase_add_test(tcase, a_unit_that_includes_a_touched_unit_is_found);
	tcase_add_test(tcase, a_name_in_a_comment_or_in_a_longer_name_is_no_include);
	tcase_add_test(tcase, what_units_include_is_noted_down_in_a_build_directory_of_our_own);
	tcase_add_test(tcase, units_that_mention_nothing_new_of_a_header_are_not_compiled);
	tcase_add_test(tcase, what_ninja_makes_from_a_touched_file_is_made_again);
	tcase_add_test(tcase, absolute_paths_and_other_build_folders_work);
	tcase_add_test(tcase, generated_headers_of_a_build_folder_are_seen);
	tcase_add_test(tcase, objects_are_the_same_bytes_wherever_the_private_directory_is);
	tcase_add_test(tcase, the_plain_object_has_the_code_of_the_projects_own_build);
	tcase_add_test(tcase, output_options_write_nothing_into_the_project);
	tcase_add_test(tcase, lto_is_dropped_with_a_note);
	tcase_add_test(tcase, one_source_with_two_sets_of_flags_gives_two_units);
	tcase_add_test(tcase, launchers_response_files_and_quotes_are_understood);
	tcase_add_test(tcase, symbolic_links_in_the_tree_lead_to_patched_files);
	tcase_add_test(tcase, headers_reached_through_a_neighbour_folder_are_patched);
	tcase_add_test(tcase, sources_that_a_unit_includes_from_a_real_folder_are_found);
	tcase_add_test(tcase, without_tmpdir_nothing_is_left_behind_either);
	tcase_add_test(tcase, instrumented_objects_name_the_counters_of_the_build);
	tcase_add_test(tcase, an_include_by_absolute_path_of_a_touched_file_is_refused);
	tcase_add_test(tcase, precompiled_headers_do_not_hide_a_touched_header);
	tcase_add_test(tcase, new_renamed_and_deleted_headers_are_followed);
	tcase_add_test(tcase, a_renamed_unit_is_compiled_under_its_new_name);
	tcase_add_test(tcase, documentation_is_ignored_with_a_note);
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
