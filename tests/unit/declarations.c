/* SPDX-License-Identifier: MIT */
/* Which units can a changed header change? By their preprocessed text before and after. */
#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "differ/declarations.h"
#include "tests/lib/suite.h"

static bool is_alike(const char *pre, const char *post, const char *unit)
{
	char before[4096], after[4096];
	struct vg_error *error;
	bool alike;

	snprintf(before, sizeof(before), "# 1 \"x.h\"\n%s\n%s", pre, unit);
	snprintf(after, sizeof(after), "# 1 \"y.h\" 1\n%s\n# 7 \"x.c\"\n%s", post, unit);
	error = vg_declarations_alike(before, strlen(before), after, strlen(after), &alike);
	ck_assert_msg(!error, "%s", vg_error_text(error));
	return alike;
}

static const char plain[] = "int f(int x) { return x + 1; } int v = 3;";

START_TEST(line_numbers_and_blanks_change_nothing)
{
	ck_assert(is_alike("int a(void);", "int  a ( void ) ;", plain));
}
END_TEST

START_TEST(a_prototype_that_nobody_mentions_changes_nothing)
{
	ck_assert(is_alike("", "int fresh(struct s *s);", plain));
	ck_assert(is_alike("static inline int old(int a) { return a; }", "int old(int a);", plain));
	ck_assert(!is_alike("", "int fresh(int x);", "int f(int x) { return fresh(x); }"));
}
END_TEST

START_TEST(a_type_taints_whoever_can_get_at_its_members)
{
	static const char pre[] = "struct s { int a; };", post[] = "struct s { int b, a; };";

	ck_assert(is_alike(pre, post, plain));
	ck_assert(!is_alike(pre, post, "int f(struct s *s) { return s->a; }"));
	ck_assert(
		!is_alike(pre, post, "typedef struct s *handle; int f(handle h) { return h->a; }"));
	ck_assert(!is_alike(pre, post, "extern struct s *list; int f(void) { return list->a; }"));
	ck_assert(!is_alike(pre, post, "struct s *get(void); int f(void) { return get()->a; }"));
	ck_assert(!is_alike(pre, post,
			    "struct o { struct s *s; }; typedef struct o o; extern o all[];"
			    "int f(void) { return all[0].s->a; }"));
	ck_assert(!is_alike(pre, post,
			    "static inline int peek(struct s *s) { return s->a; }"
			    "int f(void *p) { return peek(p); }"));
	ck_assert(!is_alike(pre, post, "typedef int (*reader)(struct s *); reader r;"));
	ck_assert(!is_alike(pre, post, "struct s storage;"));
	ck_assert(!is_alike(pre, post, "int (*call)(struct s *);"));
	ck_assert(!is_alike(pre, post, "struct o { struct s s; } storage;"));
	ck_assert(is_alike(pre, post,
			   "static inline int peek(struct s *s) { return s->a; }"
			   "int f(void *p) { return p != 0; }"));
}
END_TEST

START_TEST(enumerators_are_names_too)
{
	ck_assert(!is_alike("enum { A, B };", "enum { X, A, B };", "int f(void) { return B; }"));
	ck_assert(!is_alike("struct h { enum { A, B } k; };", "struct h { enum { X, A, B } k; };",
			    "int f(void) { return B; }"));
	ck_assert(is_alike("enum { A, B };", "enum { X, A, B };", plain));
}
END_TEST

START_TEST(code_and_data_of_the_header_count)
{
	ck_assert(!is_alike("static int n = 1;", "static int n = 2;", plain));
	ck_assert(!is_alike("int g(void) { return 1; }", "int g(void) { return 2; }", plain));
	ck_assert(!is_alike("static void g(void) { }", "static void g(void) { h(); }", plain));
	ck_assert(!is_alike("extern inline int g(void) { return 1; }",
			    "extern inline int g(void) { return 2; }", plain));
}
END_TEST

START_TEST(macros_that_expand_to_something_else_are_seen)
{
	char pre[] = "int f(void) { return 16; }", post[] = "int f(void) { return 8; }";

	ck_assert(!is_alike(pre, post, ""));
	ck_assert(!is_alike("const char *n = \"a;b\";", "const char *n = \"a;c\";", ""));
}
END_TEST

START_TEST(what_is_not_understood_is_in_doubt)
{
	ck_assert(!is_alike("asm(\"nop\");", "asm(\"hlt\");", plain));
	ck_assert(
		!is_alike("#pragma pack(1)\nint a(void);", "#pragma pack(2)\nint a(void);", plain));
	ck_assert(!is_alike("int a(void), b(void);", "int a(void), c(void);", plain));
	ck_assert(!is_alike("int broken(", "int broken((", plain));
}
END_TEST

/* The parameters of such a definition end in a semicolon, so that its body stands alone. */
START_TEST(a_definition_in_the_old_style_is_code)
{
	static const char pre[] = "struct s { int a; };", post[] = "struct s { int b, a; };";

	ck_assert(!is_alike(pre, post,
			    "int g(void *); int f(p) void *p; { return ((struct s *)p)->a; } "
			    "int h(void);"));
	ck_assert(!is_alike(pre, post, "int f(p) struct s *p; { return p->a; }"));
}
END_TEST

START_TEST(annotations_do_not_hide_the_name)
{
	static const char pre[] = "struct __attribute__((packed)) s { int a; };";
	static const char post[] = "struct __attribute__((packed)) s { char c; int a; };";
	static const char get[] =
		"static inline __attribute__((unused)) struct s *get(const void *p) "
		"{ return (struct s *)p; }";
	char unit[512];

	ck_assert(is_alike(pre, post, get));
	snprintf(unit, sizeof(unit), "%s int f(void *p) { return get(p)->a; }", get);
	ck_assert(!is_alike(pre, post, unit));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("declarations");
	TCase *tests = tcase_create("declarations");

	tcase_add_test(tests, line_numbers_and_blanks_change_nothing);
	tcase_add_test(tests, a_prototype_that_nobody_mentions_changes_nothing);
	tcase_add_test(tests, a_type_taints_whoever_can_get_at_its_members);
	tcase_add_test(tests, enumerators_are_names_too);
	tcase_add_test(tests, code_and_data_of_the_header_count);
	tcase_add_test(tests, macros_that_expand_to_something_else_are_seen);
	tcase_add_test(tests, what_is_not_understood_is_in_doubt);
	tcase_add_test(tests, a_definition_in_the_old_style_is_code);
	tcase_add_test(tests, annotations_do_not_hide_the_name);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
