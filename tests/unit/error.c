/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <vgraft/rules.h>

#include "common/error.h"
#include "tests/lib/suite.h"

START_TEST(an_error_carries_its_exit_code_and_its_sentence)
{
	struct vg_error *error = vg_error_errno(VG_USAGE, ENOENT, "cannot open %s", "a.vgp");

	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	ck_assert_str_eq(vg_error_text(error), "cannot open a.vgp: No such file or directory");
	ck_assert_ptr_null(vg_error_rule(error));
	vg_error_free(error);
}
END_TEST

START_TEST(a_prefix_keeps_code_and_rule)
{
	struct vg_error *error = vg_error_refuse(VG_RULE_LAYOUT, "field x moved");

	error = vg_error_prefix(error, "%s", "dev.c");
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	ck_assert_str_eq(vg_error_rule(error), "layout");
	ck_assert_str_eq(vg_error_text(error), "dev.c: field x moved");
	vg_error_free(error);
}
END_TEST

START_TEST(no_error_is_success)
{
	ck_assert_int_eq(vg_error_code(NULL), VG_DONE);
	ck_assert_str_eq(vg_error_text(NULL), "");
	vg_error_free(NULL);
	vg_error_free(vg_error_no_memory());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *tcase = tcase_create("error");

	tcase_add_test(tcase, an_error_carries_its_exit_code_and_its_sentence);
	tcase_add_test(tcase, a_prefix_keeps_code_and_rule);
	tcase_add_test(tcase, no_error_is_success);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
