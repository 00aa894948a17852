/* SPDX-License-Identifier: MIT */
/* Patches made from compiled objects, run inside the programs that they are for. */
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
	{"gcc", "-O3 -fPIC", "-pie"},
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

int main(void)
{
	Suite *suite = suite_create("differ_patch");
	TCase *tcase = tcase_create("patch");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase,
			    a_changed_function_uses_the_targets_statics_and_brings_its_strings, 0,
			    BUILDS);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
