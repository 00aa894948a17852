/* SPDX-License-Identifier: MIT */
/*
 * The share of a program's functions that its objects tell apart, measured on programs that are
 * compiled, linked and stripped for it.
 */
#include <stdlib.h>
#include <string.h>
#include <vgraft/error.h>

#include "common/error.h"
#include "differ/share.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

static struct vg_share share;

static void enter(void)
{
	vg_project_enter();
	vg_project_write("main.c",
			 "int one(int); int two(int);\n"
			 "int main(int c, char **v) { (void)v; return one(c) + two(c); }\n");
	vg_project_write("one.c", "int one(int);\nstatic int total;\n"
				  "static __attribute__((noinline)) int add(int v)\n"
				  "{ total += v; return total; }\n"
				  "int one(int v) { return add(v) * 3; }\n");
	vg_project_write("two.c", "int two(int);\nstatic int total;\n"
				  "static __attribute__((noinline)) int add(int v)\n"
				  "{ total += v; return total; }\n"
				  "int two(int v) { return add(v) * 5; }\n");
	vg_project_shell("gcc -O2 -fPIE -c main.c one.c two.c && "
			 "gcc -pie -Wl,--build-id -o program main.o one.o two.o && "
			 "strip -o stripped program");
}

static void leave(void)
{
	vg_share_clear(&share);
	vg_project_leave();
}

static void measure(const char *target, char *first, char *second, char *third)
{
	char *paths[] = {first, second, third};
	size_t count = 1;

	count += second != NULL;
	count += third != NULL;
	vg_share_clear(&share);

	struct vg_error *error = vg_share_measure(target, NULL, paths, count, &share);

	ck_assert_msg(!error, "%s", error ? vg_error_text(error) : "");
	ck_assert_uint_eq(share.all.functions, share.in[VG_SHARE_UNIQUE].functions +
						       share.in[VG_SHARE_AMBIGUOUS].functions +
						       share.in[VG_SHARE_CONTESTED].functions +
						       share.in[VG_SHARE_UNKNOWN].functions);
	ck_assert_uint_eq(share.all.bytes, share.in[VG_SHARE_UNIQUE].bytes +
						   share.in[VG_SHARE_AMBIGUOUS].bytes +
						   share.in[VG_SHARE_CONTESTED].bytes +
						   share.in[VG_SHARE_UNKNOWN].bytes);
}

START_TEST(functions_of_the_same_code_are_told_apart_by_their_objects)
{
	measure("stripped", ".", NULL, NULL);
	ck_assert_uint_eq(share.objects, 3);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 5);
	ck_assert_uint_eq(share.by[VG_MATCHED_BY_OBJECT].functions, 5);
	ck_assert_uint_eq(share.in[VG_SHARE_AMBIGUOUS].functions, 0);
	ck_assert_uint_eq(share.in[VG_SHARE_CONTESTED].functions, 0);
}
END_TEST

START_TEST(a_symbol_table_tells_names_apart)
{
	measure("program", "one.o", "two.o", "main.o");
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 5);
	ck_assert_uint_eq(share.by[VG_MATCHED_BY_NAME].functions, 5);
}
END_TEST

START_TEST(a_part_of_the_objects_gives_the_share_of_that_part)
{
	measure("stripped", "two.o", NULL, NULL);
	ck_assert_uint_eq(share.objects, 1);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 2);
	ck_assert_uint_ge(share.in[VG_SHARE_UNKNOWN].functions, 3);
}
END_TEST

START_TEST(code_that_lies_at_two_places_is_ambiguous)
{
	vg_project_shell("mkdir alone && cp one.c alone/three.c && cd alone && "
			 "sed -i 's/int one(int v).*/int (*add_pointer)(int) = add;/' three.c && "
			 "gcc -O2 -fPIE -c three.c");
	measure("stripped", "alone", NULL, NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 0);
	ck_assert_uint_eq(share.in[VG_SHARE_AMBIGUOUS].functions, 2);
}
END_TEST

START_TEST(a_function_that_two_objects_claim_is_contested)
{
	vg_project_shell("sed 's/one/uno/; s/add/plus/g' one.c > uno.c && gcc -O2 -fPIE -c uno.c");
	measure("stripped", "one.o", "uno.o", NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_CONTESTED].functions, 2);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 0);
}
END_TEST

START_TEST(a_copy_of_an_object_is_the_same_object)
{
	vg_project_shell("cp one.o copy.o");
	measure("stripped", "one.o", "copy.o", NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 2);
}
END_TEST

/* QEMU has register_types() in 47 files, the same code each. */
START_TEST(functions_of_the_same_code_are_told_apart_by_the_data_they_refer_to)
{
	vg_project_shell(
		"for n in 1 2 3; do echo 'struct info { const char *name; int (*f)(int); };"
		"int add(const struct info *);"
		"static int twice(int v) { return 2 * v; }"
		"static const struct info i = {\"number '$n'\", twice};"
		"int reg'$n'(void); int reg'$n'(void) { return add(&i); }' > reg$n.c; done && "
		"echo 'struct info; int add(const struct info *); int reg1(void);"
		"int reg2(void); int reg3(void); int add(const struct info *i)"
		"{ return i != 0; }"
		"int main(void) { return reg1() + reg2() + reg3(); }' > main.c && "
		"gcc -O2 -fPIE -c main.c reg1.c reg2.c reg3.c && "
		"gcc -pie -Wl,--build-id -o program main.o reg3.o reg1.o reg2.o && "
		"strip -o stripped program");
	measure("stripped", "main.o", "reg1.o", "reg2.o");
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 6);
	ck_assert_uint_eq(share.in[VG_SHARE_AMBIGUOUS].functions, 0);
	measure("stripped", "reg2.o", NULL, NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 2);
}
END_TEST

/* The other object's code says where it is. */
START_TEST(what_one_object_refers_to_decides_between_the_places_of_another)
{
	vg_project_shell(
		"for n in 1 2; do echo 'int half'$n'(int); int half'$n'(int v)"
		"{ return v / 2; }' > half$n.c; done && "
		"echo 'int half1(int); int half2(int);"
		"int main(int c, char **v) { (void)v; return half1(c) + 3 * half2(c + 7); }' "
		"> main.c && gcc -O2 -fPIE -c main.c half1.c half2.c && "
		"gcc -pie -Wl,--build-id -o program main.o half2.o half1.o && "
		"strip -o stripped program");
	measure("stripped", "half1.o", "half2.o", NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_AMBIGUOUS].functions, 2);
	measure("stripped", "half1.o", "half2.o", "main.o");
	ck_assert_uint_eq(share.in[VG_SHARE_AMBIGUOUS].functions, 0);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 3);
	ck_assert_uint_eq(share.alone.functions, 1);
}
END_TEST

/* Thunks are the same in every program. */
START_TEST(a_few_bytes_of_an_object_that_is_not_there_are_no_match)
{
	vg_project_shell("echo 'int plus(int); int plus(int v) { return v * 7; }"
			 "int minus(int); int minus(int v) { return v - 1000; }' > other.c && "
			 "echo 'int times(int); int times(int v) { return v * 7; }"
			 "int main(int c, char **v) { (void)v; return times(c); }' > main.c && "
			 "gcc -O2 -fno-inline -fPIE -c main.c other.c && "
			 "gcc -pie -Wl,--build-id -o program main.o && strip -o stripped program");
	measure("stripped", "other.o", NULL, NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 0);
	ck_assert_uint_eq(share.in[VG_SHARE_AMBIGUOUS].functions, 1);
	vg_project_shell("gcc -O2 -fno-inline -fPIE -ffunction-sections -c other.c");
	measure("stripped", "other.o", NULL, NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 0);
	measure("stripped", "main.o", NULL, NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 2);
}
END_TEST

/* The differ's own objects have a section for each function. */
START_TEST(objects_with_a_section_for_each_function_match_as_well)
{
	vg_project_shell("gcc -O2 -fPIE -ffunction-sections -fdata-sections -c main.c one.c two.c");
	measure("stripped", ".", NULL, NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 5);
}
END_TEST

START_TEST(other_flags_are_seen)
{
	vg_project_shell("gcc -O0 -fPIE -c one.c two.c main.c");
	measure("stripped", ".", NULL, NULL);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, 0);
}
END_TEST

START_TEST(what_is_no_object_is_passed_over)
{
	vg_project_write("text.o", "not an object");
	measure("stripped", ".", NULL, NULL);
	ck_assert_uint_eq(share.objects, 3);
}
END_TEST

START_TEST(a_path_that_is_missing_is_named)
{
	char *paths[] = {"nowhere"};
	struct vg_error *error = vg_share_measure("stripped", NULL, paths, 1, &share);

	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "nowhere"));
	vg_error_free(error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("share");
	TCase *tests = tcase_create("share");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, enter, leave);
	tcase_add_test(tests, functions_of_the_same_code_are_told_apart_by_their_objects);
	tcase_add_test(tests, a_symbol_table_tells_names_apart);
	tcase_add_test(tests, a_part_of_the_objects_gives_the_share_of_that_part);
	tcase_add_test(tests, code_that_lies_at_two_places_is_ambiguous);
	tcase_add_test(tests, a_function_that_two_objects_claim_is_contested);
	tcase_add_test(tests, a_copy_of_an_object_is_the_same_object);
	tcase_add_test(tests, functions_of_the_same_code_are_told_apart_by_the_data_they_refer_to);
	tcase_add_test(tests, what_one_object_refers_to_decides_between_the_places_of_another);
	tcase_add_test(tests, a_few_bytes_of_an_object_that_is_not_there_are_no_match);
	tcase_add_test(tests, objects_with_a_section_for_each_function_match_as_well);
	tcase_add_test(tests, other_flags_are_seen);
	tcase_add_test(tests, what_is_no_object_is_passed_over);
	tcase_add_test(tests, a_path_that_is_missing_is_named);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
