/* SPDX-License-Identifier: MIT */
/* What the object half refuses, by which rule; what it lets pass; what it calls unchanged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "differ/build.h"
#include "tests/lib/differ_case.h"
#include "tests/lib/suite.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* A text in which %s stands for `old` before and `new` after the change. */
struct program {
	const char *promise;
	const char *rule; /* NULL: built; "": unchanged */
	const char *source, *old, *new;
};

/* `last` keeps f from being the last function, behind which there is no padding. */
#define MAIN                                                                                       \
	"int main(void) { return f(1); }\n"                                                        \
	"int last(int x); int last(int x) { return x * 7; }\n"
#define F "__attribute__((noinline)) int f(int x) "

static const struct program programs[] = {
	{"a field added to a struct is refused", "layout",
	 "struct s { int a; %s int b; }; struct s g;\n" F "{ g.b = x; return g.a; }\n" MAIN, "",
	 "long more;"},
	{"a field of another type at the same place is refused", "layout",
	 "struct s { int a; %s b; }; struct s g;\n" F "{ g.b = x; return g.a + (g.b > 5); }\n" MAIN,
	 "int", "unsigned"},
	{"a struct that only the new code has passes", NULL,
	 "struct s { int a; int b; }; struct s g;\n%s\n" MAIN, F "{ g.b = x; return g.a; }",
	 "struct t { long x, y; }; " F
	 "{ volatile struct t t = {x, 2}; g.b = (int)t.x; return g.a + (int)t.y; }"},
	{"an enumerator added at the end passes", NULL,
	 "enum e { A %s }; enum e g;\n" F "{ g = A; return x + sizeof((int[]){A %s}); }\n" MAIN, "",
	 ", C"},
	{"the initial value of a variable is refused", "data",
	 "int g = %s;\n" F "{ return g + x; }\n" MAIN, "1", "2"},
	{"the initial value of a static local is refused", "data",
	 F "{ static int g = %s; return g++ + x; }\n" MAIN, "1", "2"},
	{"an exported constant is refused", "data",
	 "const int g[3] = {1, 2, %s};\n" F "{ return g[x]; }\n" MAIN, "3", "4"},
	{"a constant of this file is copied", NULL,
	 "static const int g[3] = {1, 2, %s};\n" F "{ return g[x]; }\n" MAIN, "3", "4"},
	{"a constant that data points to is refused", "data",
	 "static const int g[3] = {1, 2, %s}; const int *p = g;\n" F "{ return g[x] + *p; }\n" MAIN,
	 "3", "4"},
	{"a removed variable is refused", "removed", "int h; %s\n" MAIN,
	 "int g = 1; " F "{ return g++ + x; }", F "{ return h + x; }"},
	{"a variable of another size is refused", "removed",
	 "%s g[4];\n" F "{ return (int)g[x]; }\n" MAIN, "int", "long"},
	{"a variable of another type and the same size is refused", "removed",
	 "static %s g;\n" F "{ g += x; return (int)g; }\n" MAIN, "int", "float"},
	{"a variable that gets another name for its type passes", NULL,
	 "typedef int count; static %s\n" MAIN, "int g; " F "{ g += x; return g; }",
	 "count g; " F "{ g += 2 * x; return g; }"},
	{"a struct whose objects must be aligned better is refused", "layout",
	 "struct s { %s int a[8]; }; extern struct s *g; struct s *g;\n" F
	 "{ g->a[x] = 1; return g->a[1]; }\n" MAIN,
	 "", "_Alignas(32)"},
	{"a variable that must be aligned better than it is is refused", "layout",
	 "char c = 1; %s int g = 2; char d = 3;\n" F
	 "{ g += c + d; return x + (((unsigned long)&g & 4095) != 0); }\n" MAIN,
	 "", "_Alignas(4096)"},
	{"a variable that must be aligned less passes", NULL, "%s\n" MAIN,
	 "_Alignas(64) int g = 2; " F "{ g += x; return g; }",
	 "int g = 2; " F "{ g += 2 * x; return g; }"},
	{"a new constructor is refused", "constructor", "int g;\n%s\n" F "{ return g + x; }\n" MAIN,
	 "", "__attribute__((constructor)) static void c(void) { g = 4; }"},
	{"a changed constructor is refused", "constructor",
	 "int g;\n__attribute__((constructor)) static void c(void) { g = %s; }\n" F
	 "{ return g + x; }\n" MAIN,
	 "1", "2"},
	{"a changed table of functions is refused", "ops-table",
	 "static int a(void) { return 1; } static int b(void) { return 2; }\n"
	 "int (*ops[2])(void) = {a, %s};\n" F "{ return ops[x]() + b(); }\n" MAIN,
	 "a", "b"},
	{"a changed static const table of functions is refused", "ops-table",
	 "static int a(void) { return 1; } static int b(void) { return 2; }\n"
	 "static int (*const ops[2])(void) = {a, %s};\n" F "{ return ops[x & 1]() + b(); }\n" MAIN,
	 "a", "b"},
	{"a new thread-local variable is refused", "thread-local", "%s\n" MAIN, F "{ return x; }",
	 "static __thread int t; " F "{ return x + t++; }"},
	{"a changed IFUNC resolver is refused", "ifunc",
	 "static int a(int x) { return x; } static int b(int x) { return x + 1; }\n"
	 "static void *pick(void) { return %s; }\n"
	 "int h(int x) __attribute__((ifunc(\"pick\")));\n" F
	 "{ return h(x) + a(x) + b(x); }\n" MAIN,
	 "a", "b"},
	{"a function that never comes back is refused", "endless",
	 "#include <unistd.h>\nvolatile int g; " F "{ for (;;) { g += x %s; pause(); } }\n" MAIN,
	 "", "+ 1"},
	{"a loop with a way out passes", NULL,
	 "#include <unistd.h>\nvolatile int g; " F
	 "{ for (;;) { g += x %s; if (g > 99) return g; pause(); } }\n" MAIN,
	 "", "+ 1"},
	{"a function that ends in exit is not endless", NULL,
	 "#include <stdlib.h>\nvolatile int g; " F "{ if (g < x) g++; exit(g %s); }\n" MAIN, "",
	 "+ 1"},
	{"a loop that only computes on the way to exit is not endless", NULL,
	 "#include <stdlib.h>\n__attribute__((noreturn)) void fail(int); int g;\n"
	 "void fail(int c) { exit(c); }\n" F
	 "{ int n = 0; if (x > 9) fail(1); for (const char *t = getenv(\"A\"); *t; t++) n += *t; "
	 "fail(n %s); }\n" MAIN,
	 "", "+ 1"},
	{"a loop that waits for a variable before exit is refused", "endless",
	 "#include <stdlib.h>\nvolatile int g; " F "{ while (!g) {} exit(g + x %s); }\n" MAIN, "",
	 "+ 1"},
	{"a loop that calls until exit is refused", "endless",
	 "#include <unistd.h>\n#include <stdlib.h>\n" F
	 "{ for (char c = 0; read(0, &c, 1) > 0;) x += c; exit(x %s); }\n" MAIN,
	 "", "+ 1"},
	{"a loop that computes and has no way out at all is refused", "endless",
	 F "{ for (unsigned n = x;; n = n * 3 %s) __asm__ volatile(\"\" : \"+r\"(n)); }\n" MAIN,
	 "+ 1", "+ 5"},
	{"a way out through a switch table passes", NULL,
	 "volatile int g; " F "{ for (;;) switch (g) { case 0: g = 3; break; case 1: g = x %s; "
	 "break; case 2: return 7;\n"
	 "case 3: g = 5; break; case 4: g = 1; break; case 5: g = 2; break; case 6: g = 9; } "
	 "}\n" MAIN,
	 "", "+ 1"},
	{"a name that nothing defines is refused", "ambiguous",
	 "extern int nobody(int);\n" F "{ return x %s; }\n" MAIN, "", "+ nobody(x)"},
	{"which of two statics is meant is not guessed", "ambiguous",
	 F
	 "{ { static int n = 0; x += n++; } { static int n = 0; x += n--; } %s return x; }\n" MAIN,
	 "", "{ static int n = 0; x += n--; } x += 3;"},
	{"two statics of one name and different sizes are told apart", NULL,
	 F "{ { static int n = 0; x += n++; } { static long n = 0; x += (int)n--; } return x %s; "
	   "}\n" MAIN,
	 "", "+ 3"},
	{"another line number is unchanged", "",
	 "#include <stdio.h>\n%s\n" F "{ puts(\"a\"); return x; }\n" MAIN, "", "/* more */"},
	{"another string pool is unchanged for those who use it", NULL,
	 "#include <stdio.h>\n__attribute__((noinline)) int h(int x) { puts(\"%s\"); return x; "
	 "}\n" F "{ puts(\"same\"); puts(__func__); return h(x); }\n" MAIN,
	 "b", "bb and much more text"},
	{"a renamed local variable is unchanged", "", F "{ int %s = x * 3; return %s; }\n" MAIN,
	 "a", "b"},
	{"renumbered static locals are unchanged", "",
	 "#include <stdio.h>\n%s" F "{ static int n; static const char t[] = \"text\"; puts(t); "
	 "puts(__func__); return n++ + x; }\n" MAIN,
	 "", "static inline int unused(void) { static int n; static int m; return n++ + m++; }\n"},
	{"a new function that nothing calls is unchanged", "", F "{ return x; }\n%s" MAIN, "",
	 "int more(int x) { return x * 77; }\n"},
	{"an empty function is too short unless padding follows", NULL,
	 "__attribute__((noinline)) void h(void) { __asm__ volatile(\"\"); %s } int g;\n" F
	 "{ h(); return x; }\n" MAIN,
	 "", "extern int g; g++;"},
	{"an entry that is jumped into is refused", "short-entry",
	 "int g;\n__attribute__((noinline, naked)) int h(int x) { __asm__(\"nop; 1: inc %%edi; "
	 "cmp "
	 "$50, %%edi; jl 1b; mov %%edi, %%eax; add $%s, %%eax; ret\"); }\n" F
	 "{ return h(x); }\n" MAIN,
	 "1", "2"},
	{"a short function without padding is refused", "short-entry",
	 "__asm__(\".text; .globl h; .type h, @function; h: .cfi_startproc; mov $%s, %%al; ret; "
	 ".cfi_endproc; "
	 ".size h, .-h; .globl after; .type after, @function; after: ret; .size after, "
	 ".-after\");\n"
	 "int h(int); void after(void);\n" F "{ after(); return h(x); }\n" MAIN,
	 "1", "2"},
};
#define PROGRAMS ((int)(sizeof(programs) / sizeof(*programs)))

static char *fill_in(const char *source, const char *change)
{
	char *text = NULL;

	ck_assert_int_ge(asprintf(&text, source, change, change), 0);
	return text;
}

static bool exists(const struct differ_case *test, const char *name)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", test->directory, name);
	return !stat(path, &status);
}

static void expect_rule(struct differ_case *test, const char *rule)
{
	ck_assert_ptr_nonnull(test->error);
	ck_assert_int_eq(vg_error_code(test->error), VG_REFUSED);
	ck_assert_msg(vg_error_rule(test->error) && !strcmp(vg_error_rule(test->error), rule),
		      "%s: %s", vg_error_rule(test->error), vg_error_text(test->error));
	ck_assert_msg(!exists(test, "out.vgp"), "a refused patch was written");
}

static void run_program(const struct program *program, const char *allow, struct differ_case *test)
{
	char *pre = fill_in(program->source, program->old);
	char *post = fill_in(program->source, program->new);

	printf("%s\n", program->promise);
	fflush(stdout);
	*test = (struct differ_case){
		.pre = pre, .post = post, .allow = allow, .explain = getenv("DIFFER_EXPLAIN")};
	differ_case_run(test);
	if (test->error)
		printf("  %s\n", vg_error_text(test->error));
	free(pre);
	free(post);
}

START_TEST(what_is_not_safe_is_refused_by_its_rule)
{
	const struct program *program = &programs[_i];
	struct differ_case test;

	run_program(program, NULL, &test);
	if (program->rule && *program->rule) {
		expect_rule(&test, program->rule);
	} else {
		ck_assert_msg(!test.error, "%s", vg_error_text(test.error));
		ck_assert_int_eq(test.result.outcome, program->rule ? VG_UNCHANGED : VG_BUILT);
		ck_assert_int_eq(exists(&test, "out.vgp"), !program->rule);
		if (!program->rule)
			ck_assert_uint_eq(test.result.function_count, 1);
	}
	differ_case_clear(&test);
}
END_TEST

START_TEST(allow_turns_a_refusal_into_a_note)
{
	struct differ_case test;

	run_program(&programs[1], "layout", &test);
	ck_assert_msg(!test.error, "%s", vg_error_text(test.error));
	ck_assert_int_eq(test.result.outcome, VG_BUILT);
	ck_assert_uint_ge(test.result.note_count, 1);
	differ_case_clear(&test);
}
END_TEST

START_TEST(callers_outside_the_patch_keep_a_signature)
{
	struct differ_case test = {
		.pre = F "{ return x + 3; }\n",
		.post = "__attribute__((noinline)) int f(long x, int y) { return (int)x + y; }\n",
		.rest = "int f(int); int main(void) { return f(1); }\n",
	};

	differ_case_run(&test);
	expect_rule(&test, "signature");
	differ_case_clear(&test);
}
END_TEST

START_TEST(a_target_of_other_source_is_a_mismatch)
{
	struct differ_case test = {
		.pre = F "{ return x + 3; }\n" MAIN,
		.post = F "{ return x + 4; }\n" MAIN,
		.target = F "{ return x + 2; }\n" MAIN,
	};

	differ_case_run(&test);
	expect_rule(&test, "mismatch");
	ck_assert_ptr_nonnull(strstr(vg_error_text(test.error), "offset 0x"));
	differ_case_clear(&test);
}
END_TEST

START_TEST(a_string_that_the_target_has_otherwise_is_a_mismatch)
{
	struct differ_case test = {
		.pre = "int puts(const char *); " F "{ puts(\"one\"); return x + 3; }\n" MAIN,
		.post = "int puts(const char *); " F "{ puts(\"one\"); return x + 4; }\n" MAIN,
		.target = "int puts(const char *); " F "{ puts(\"two\"); return x + 3; }\n" MAIN,
	};

	differ_case_run(&test);
	expect_rule(&test, "mismatch");
	ck_assert_ptr_nonnull(strstr(vg_error_text(test.error), "string \"one\""));
	differ_case_clear(&test);
}
END_TEST

START_TEST(a_target_of_another_compiler_is_refused)
{
	struct differ_case test = {
		.pre = F "{ return x + 3; }\n" MAIN,
		.post = F "{ return x + 4; }\n" MAIN,
		.target_compiler = "gcc",
		.compiler = "clang-14",
	};

	differ_case_run(&test);
	expect_rule(&test, "compiler");
	differ_case_clear(&test);
}
END_TEST

START_TEST(a_target_without_build_id_is_refused)
{
	struct differ_case test = {
		.pre = F "{ return x + 3; }\n" MAIN,
		.post = F "{ return x + 4; }\n" MAIN,
		.link = "-pie -Wl,--build-id=none",
	};

	differ_case_run(&test);
	ck_assert_ptr_nonnull(test.error);
	ck_assert_int_eq(vg_error_code(test.error), VG_REFUSED);
	ck_assert_ptr_nonnull(strstr(vg_error_text(test.error), "--build-id"));
	differ_case_clear(&test);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("differ_refuse");
	TCase *tcase = tcase_create("refuse");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, what_is_not_safe_is_refused_by_its_rule, 0, PROGRAMS);
	tcase_add_test(tcase, allow_turns_a_refusal_into_a_note);
	tcase_add_test(tcase, callers_outside_the_patch_keep_a_signature);
	tcase_add_test(tcase, a_target_of_other_source_is_a_mismatch);
	tcase_add_test(tcase, a_string_that_the_target_has_otherwise_is_a_mismatch);
	tcase_add_test(tcase, a_target_of_another_compiler_is_refused);
	tcase_add_test(tcase, a_target_without_build_id_is_refused);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
