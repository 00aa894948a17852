/* SPDX-License-Identifier: MIT */
/* Patches made from compiled objects, run inside the programs that they are for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differ/build.h"
#include "tests/lib/differ_case.h"
#include "tests/lib/suite.h"

/* Builds, checks the three outputs, and that the displaced instructions behave like the entry. */
static void expect_outputs(struct differ_case *test, const char *before, const char *after)
{
	differ_case_run(test);
	ck_assert_msg(!test->error, "%s", vg_error_text(test->error));
	ck_assert_int_eq(test->result.outcome, VG_BUILT);

	char *was = differ_case_output(test, AS_IT_IS);
	char *displaced = differ_case_output(test, DISPLACED);
	char *patched = differ_case_output(test, PATCHED);

	ck_assert_str_eq(was, before);
	ck_assert_str_eq(displaced, before);
	ck_assert_str_eq(patched, after);
	free(was);
	free(displaced);
	free(patched);
}

/* The patched program does what one that is built from the new source does, and nothing else did.
 */
static void expect_behaviour(struct differ_case *test)
{
	differ_case_run(test);
	ck_assert_msg(!test->error, "%s", vg_error_text(test->error));
	ck_assert_int_eq(test->result.outcome, VG_BUILT);

	char *was = differ_case_output(test, AS_IT_IS);
	char *displaced = differ_case_output(test, DISPLACED);
	char *patched = differ_case_output(test, PATCHED);
	char *rebuilt = differ_case_output(test, REBUILT);

	ck_assert_str_eq(displaced, was);
	ck_assert_str_eq(patched, rebuilt);
	ck_assert_str_ne(patched, was);
	free(was);
	free(displaced);
	free(patched);
	free(rebuilt);
}

/* How the programs are compiled; each promise holds for all. */
static const struct {
	const char *compiler, *flags, *link;
} builds[] = {
	{"gcc", "-O2 -g -fPIE", "-pie"},
	{"gcc", "-O0 -g -fPIE", "-pie"},
	{"gcc", "-O2 -fno-pie", "-no-pie"},
	{"gcc", "-O2 -fPIE -fcf-protection -fno-plt", "-pie -Wl,-z,now"},
	{"clang-14", "-O2 -g -fPIE", "-pie"},
	{"clang-14", "-O0 -fno-pie", "-no-pie"},
	{"gcc", "-O3 -fPIC -ftls-model=initial-exec", "-pie"},
};
#define BUILDS ((int)(sizeof(builds) / sizeof(*builds)))

static struct differ_case new_case(int build)
{
	return (struct differ_case){
		.compiler = builds[build].compiler,
		.flags = builds[build].flags,
		.link = builds[build].link,
		.explain = getenv("DIFFER_EXPLAIN"),
	};
}

#define COUNTER(change)                                                                            \
	"#include <stdio.h>\n"                                                                     \
	"static int total = 5;\n"                                                                  \
	"__attribute__((noinline)) static int helper(int x) { return x * 3; }\n"                   \
	"__attribute__((noinline)) int work(int x) {\n"                                            \
	"  static int calls;\n"                                                                    \
	"  calls++; total += x;\n"                                                                 \
	"  " change "\n"                                                                           \
	"  return helper(total) + calls;\n"                                                        \
	"}\n"                                                                                      \
	"int main(void) { for (int i = 0; i < 3; i++) printf(\"%d\\n\", work(i)); return 0; }\n"

START_TEST(a_changed_function_uses_the_targets_statics_and_brings_its_strings)
{
	struct differ_case test = new_case(_i);

	test.pre = COUNTER("");
	test.post = COUNTER("printf(\"new text %d\\n\", calls); total++;");
	expect_outputs(&test, "16\n20\n27\n", "new text 1\n19\nnew text 2\n26\nnew text 3\n36\n");
	ck_assert_uint_eq(test.result.function_count, 1);
	ck_assert_str_eq(test.result.functions[0].name, "work");
	ck_assert_uint_le(test.result.bytes, 2253); /* 2.2 KB */
	differ_case_clear(&test);
}
END_TEST

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* One program of the table below: a text in which CHANGE stands for `old` or `new`. */
struct program {
	const char *promise;
	const char *source; /* with one or more %s: `old` before, `new` after the change */
	const char *old, *new;
};

static const struct program programs[] = {
	{
		"a switch table of the new code leads to the new code",
		"#include <stdio.h>\n"
		"int g;\n"
		"__attribute__((noinline)) const char *f(int x) {\n"
		"  switch (x) { case 0: return \"a\"; case 1: g++; return \"b\"; case 2: return "
		"\"c\";\n"
		"  case 3: g += x; return \"d\"; case 4: g -= 2; return \"e\"; case 5: "
		"puts(\"five\"); break;\n"
		"  %s default: g *= 2; }\n"
		"  return \"z\"; }\n"
		"int main(void) { for (int i = 0; i < 9; i++) printf(\"%%s%%d \", f(i), g); "
		"puts(\"\"); }\n",
		"",
		"case 6: g = 77; return \"new\"; case 7: return \"seven\";",
	},
	{
		"new functions, variables and library calls come with the patch",
		"#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n#include "
		"<stdlib.h>\n"
		"char buffer[64] = \"old\";\n"
		"%s\n"
		"int main(void) { for (int i = 0; i < 2; i++) { work(i); puts(buffer); } return 0; "
		"}\n",
		"__attribute__((noinline)) void work(int x) { buffer[0] = (char)('a' + x); }",
		"static int fresh = 40; static char *kept; static long zero[3];\n"
		"__attribute__((noinline)) static int added(int x) { static int n = 7; return x + "
		"n++ + fresh++; }\n"
		"__attribute__((noinline)) void work(int x) { zero[1] += 2; kept = "
		"strdup(\"dup\");\n"
		"  memcpy(buffer, \"0123456789\", 11 - (size_t)x); snprintf(buffer + "
		"strlen(buffer), 20, \"-%d-%ld-%s-%d\",\n"
		"  added(x), zero[1], kept, getppid() > 0); free(kept); }",
	},
	{
		"floating point constants and tables of constants keep their values",
		"#include <stdio.h>\n"
		"static const int table[8] = {1, 2, 3, 5, 8, 13, 21, 34};\n"
		"__attribute__((noinline)) double f(int x) { int local[6] = {9, 8, 7, 6, 5, %s};\n"
		"  return table[x & 7] * 2.5 + local[x %% 6] / 4.0; }\n"
		"int main(void) { for (int i = 0; i < 8; i++) printf(\"%%g \", f(i)); puts(\"\"); "
		"}\n",
		"4",
		"4000",
	},
	{
		"thread-local variables of the program stay the program's",
		"#include <stdio.h>\n"
		"__thread int a = 3; static __thread int b = 4; __thread char pad[100];\n"
		"__attribute__((noinline)) int f(int x) { a += x; b++; %s return a * 100 + b; }\n"
		"int main(void) { printf(\"%%d \", f(1)); printf(\"%%d %%d\\n\", f(2), a + b); }\n",
		"",
		"pad[3] = 5; a += pad[3];",
	},
	{
		"cold pieces of a function move with it",
		"#include <stdio.h>\n#include <stdlib.h>\n"
		"int g;\n"
		"__attribute__((noinline, cold)) void report(const char *t) { printf(\"report "
		"%%s\\n\", t); }\n"
		"__attribute__((noinline)) int f(int x) {\n"
		"  if (__builtin_expect(x < 0, 0)) { g++; report(\"negative\"); %s if (g > 1) "
		"exit(0); return -x; }\n"
		"  return x + 1; }\n"
		"int main(void) { printf(\"%%d\\n\", f(4)); printf(\"%%d\\n\", f(-4)); f(-1); "
		"return 1; }\n",
		"",
		"report(\"cold\");",
	},
	{
		"pointers to changed functions compare equal",
		"#include <stdio.h>\n"
		"typedef int (*fn)(int);\n"
		"int f(int x); static int s(int x); fn table[2] = {f, s};\n"
		"__attribute__((noinline)) static int s(int x) { return x ? s(x - 1) + 1 : 0; }\n"
		"__attribute__((noinline)) int f(int x) { fn own = f, local = s; %s\n"
		"  return own == table[0] && local == table[1] ? x + table[1](3) : -1; }\n"
		"int main(void) { fn p = f; printf(\"%%d %%d\\n\", p == table[0], p(4)); }\n",
		"",
		"x += 100;",
	},
	{
		"computed gotos lead to the new code",
		"#include <stdio.h>\n"
		"int g;\n"
		"__attribute__((noinline)) int f(int x) { static const void *const go[] = {&&a, "
		"&&b, &&c};\n"
		"  goto *go[x]; a: g += 1; return g; b: g += 10; %s return g; c: g += 100; return "
		"g; }\n"
		"int main(void) { printf(\"%%d \", f(0)); printf(\"%%d \", f(1)); "
		"printf(\"%%d\\n\", f(2)); }\n",
		"",
		"g *= 2;",
	},
	{
		"library variables are reached as the program reaches them",
		"#include <stdio.h>\n#include <unistd.h>\n#include <errno.h>\n"
		"extern char **environ;\n"
		"__attribute__((noinline)) int f(FILE *to) { errno = 5; fprintf(to, \"x\"); %s "
		"fflush(stdout); return !!environ; }\n"
		"int main(void) { printf(\"%%d\\n\", f(stdout)); }\n",
		"",
		"fprintf(stdout, \"y%d\", errno);",
	},
	{
		"functions that others inlined change with them",
		"#include <stdio.h>\n"
		"static inline int limit(int x) { return x > %s ? 1 : 0; }\n"
		"__attribute__((noinline)) int f(int x) { return limit(x) + 10; }\n"
		"__attribute__((noinline)) int h(int x) { return limit(x) * 7; }\n"
		"int main(void) { printf(\"%%d %%d\\n\", f(50), h(50)); }\n",
		"9",
		"90",
	},
	{
		"a static function that becomes new code is called inside the patch",
		"#include <stdio.h>\n"
		"static int count; struct s { int a; char *b; };\n"
		"%s\n"
		"__attribute__((noinline)) int f(struct s *s) { count++; return call(s) + count; "
		"}\n"
		"int main(void) { struct s s = {3, \"t\"}; printf(\"%%d\\n\", f(&s)); }\n",
		"static int call(struct s *s) { return s->a; }",
		"static const struct s fallback = {8, \"fb\"}; static const struct s *const list[] "
		"= {&fallback, 0};\n"
		"__attribute__((noinline)) static int deep(const struct s *s) { return s->a + "
		"s->b[0]; }\n"
		"__attribute__((noinline)) static int call(struct s *s) { return deep(s->a == 3 ? "
		"list[0] : s); }",
	},
	{
		"a loop at the entry keeps turning through the displaced instructions",
		"#include <stdio.h>\n"
		"__attribute__((noinline)) unsigned f(unsigned n, unsigned acc) { do { acc = acc * "
		"3 + n; %s } while (--n); return acc; }\n"
		"int main(void) { printf(\"%%u\\n\", f(9, 1)); }\n",
		"",
		"acc ^= 5;",
	},
	{
		"an early exit stays an early exit",
		"#include <stdio.h>\n"
		"int *volatile gp; int gv = 3;\n"
		"__attribute__((noinline)) int f(int *p) { if (!p) return -1; return *p + %s; }\n"
		"int main(void) { int a = f(0); gp = &gv; printf(\"%%d %%d\\n\", a, f(gp)); }\n",
		"1",
		"2",
	},
	{
		"a table of functions is used where it stands",
		"#include <stdio.h>\n"
		"static int one(void) { return 1; } static int two(void) { return 2; }\n"
		"static int (*const ops[])(void) = {one, two};\n"
		"__attribute__((noinline)) int f(int i) { return ops[i & 1]() %s; }\n"
		"int main(void) { printf(\"%%d %%d\\n\", f(0), f(1)); }\n",
		"",
		"+ 10",
	},
	{
		"statics of one name in several functions stay apart",
		"#include <stdio.h>\n"
		"__attribute__((noinline)) int f(void) { static int n = 10; return n++; }\n"
		"__attribute__((noinline)) int h(void) { static int n = 20; %s return n++; }\n"
		"__attribute__((noinline)) int k(void) { static int n = 30; return n++; }\n"
		"int main(void) { printf(\"%%d %%d %%d \", f(), h(), k()); printf(\"%%d %%d "
		"%%d\\n\", f(), h(), k()); }\n",
		"",
		"static int more = 5; n += more++;",
	},
	{
		"__func__ and file names keep their text",
		"#include <stdio.h>\n"
		"__attribute__((noinline)) int f(int x) { printf(\"%%s %%s\\n\", __func__, "
		"__FILE__); return x; }\n"
		"__attribute__((noinline)) int h(int x) { printf(\"%%s %%d\\n\", __func__, x %s); "
		"return x; }\n"
		"int main(void) { return f(0) + h(0); }\n",
		"",
		"+ 1",
	},
};
#define PROGRAMS ((int)(sizeof(programs) / sizeof(*programs)))

static char *fill_in(const char *source, const char *change)
{
	char *text = NULL;

	ck_assert_int_ge(asprintf(&text, source, change), 0);
	return text;
}

START_TEST(the_program_does_what_the_new_source_says)
{
	/* Each in two ways to compile, another pair for the next; DIFFER_ALL in all of them. */
	int ways = getenv("DIFFER_ALL") ? BUILDS : 2, index = _i / ways;
	const struct program *program = &programs[index];
	struct differ_case test = new_case((index * 3 + _i % ways * (ways > 2 ? 1 : 3)) % BUILDS);
	char *pre = fill_in(program->source, program->old);
	char *post = fill_in(program->source, program->new);

	printf("%s: %s %s\n", program->promise, test.compiler, test.flags);
	fflush(stdout);
	test.pre = pre;
	test.post = post;
	expect_behaviour(&test);
	differ_case_clear(&test);
	free(pre);
	free(post);
}
END_TEST

#define NAMESAKES(file, change)                                                                    \
	"#include <stdio.h>\n"                                                                     \
	"static int state = 10; static const char *const name = \"" file "\";\n"                   \
	"__attribute__((noinline)) static int step(int x) { return x + state++; }\n"               \
	"int " file "(int x); int fresh_" file "(int); int shared_new(int);\n"                     \
	"__attribute__((noinline)) int " file "(int x) { printf(\"%s %d\\n\", name, state);\n"     \
	"  return step(x) " change "; }\n"

START_TEST(units_of_one_diff_keep_their_namesakes_and_share_what_is_new)
{
	struct differ_case test = new_case(_i);

	test.pre = NAMESAKES("one", "") "int two(int);\n"
					"int main(void) { printf(\"%d\\n\", one(1) + two(2)); "
					"printf(\"%d\\n\", one(1)); }\n";
	test.post = NAMESAKES("one", "+ shared_new(3)") "int two(int);\n"
							"int main(void) { printf(\"%d\\n\", one(1) "
							"+ two(2)); printf(\"%d\\n\", one(1)); }\n";
	test.pre2 = NAMESAKES("two", "");
	test.post2 = "int counter_new = 5;\n" NAMESAKES(
		"two",
		"* 2 + counter_new") "int shared_new(int x) { return x * 100 + counter_new++; }\n";
	expect_behaviour(&test);
	ck_assert_uint_eq(test.result.function_count, 3);
	differ_case_clear(&test);
}
END_TEST

START_TEST(a_stripped_target_is_read_through_its_code)
{
	struct differ_case test = new_case(_i);

	test.pre = COUNTER("");
	test.post = COUNTER("printf(\"new text %d\\n\", calls); total++;");
	test.strip = true;
	expect_behaviour(&test);
	differ_case_clear(&test);
}
END_TEST

START_TEST(the_same_inputs_give_the_same_bytes)
{
	struct differ_case test = new_case(_i);

	test.pre = COUNTER("");
	test.post = COUNTER("printf(\"new text %d\\n\", calls); total++;");
	differ_case_run(&test);
	ck_assert_msg(!test.error, "%s", vg_error_text(test.error));
	free(differ_case_output(&test, "mv out.vgp first.vgp"));
	vg_build_result_clear(&test.result);
	differ_case_build(&test);
	ck_assert_msg(!test.error, "%s", vg_error_text(test.error));
	free(differ_case_output(&test, "cmp out.vgp first.vgp"));
	differ_case_clear(&test);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("differ_patch");
	TCase *tcase = tcase_create("patch");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase,
			    a_changed_function_uses_the_targets_statics_and_brings_its_strings, 0,
			    BUILDS);
	tcase_add_loop_test(tcase, the_program_does_what_the_new_source_says, 0,
			    PROGRAMS * (getenv("DIFFER_ALL") ? BUILDS : 2));
	tcase_add_loop_test(tcase, units_of_one_diff_keep_their_namesakes_and_share_what_is_new, 0,
			    3);
	tcase_add_loop_test(tcase, a_stripped_target_is_read_through_its_code, 0, 3);
	tcase_add_test(tcase, the_same_inputs_give_the_same_bytes);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
