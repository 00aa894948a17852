/* SPDX-License-Identifier: MIT */
/* Reading of unified diffs, as git and diff write them and as they arrive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/diff.h"
#include "tests/lib/suite.h"

static struct vg_diff *parse(const char *text)
{
	struct vg_diff *diff = NULL;
	struct vg_error *error = vg_diff_parse(text, strlen(text), "fix.diff", &diff);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	return diff;
}

static void assert_fails(const char *text, enum vg_code code, const char *words)
{
	struct vg_diff *diff = NULL;
	struct vg_error *error = vg_diff_parse(text, strlen(text), "fix.diff", &diff);

	ck_assert_int_eq(vg_error_code(error), code);
	ck_assert_msg(strstr(vg_error_text(error), words), "%s", vg_error_text(error));
	ck_assert_ptr_null(diff);
	vg_error_free(error);
}

START_TEST(a_git_diff_gives_its_files_and_hunks)
{
	struct vg_diff *diff = parse("From 0123 Mon Sep 17\nSubject: fix\n---\n a.c | 2 +-\n\n"
				     "diff --git a/src/a.c b/src/a.c\nindex 1..2 100644\n"
				     "--- a/src/a.c\n+++ b/src/a.c\n"
				     "@@ -1,3 +1,4 @@ int f(void)\n one\n-two\n+2\n+2b\n three\n"
				     "@@ -9 +10 @@\n-x\n+y\n-- \n2.39.5\n");

	ck_assert_uint_eq(diff->file_count, 1);
	ck_assert_str_eq(diff->files[0].old_name, "a/src/a.c");
	ck_assert_uint_eq(diff->files[0].hunk_count, 2);
	ck_assert_uint_eq(diff->files[0].hunks[0].line_count, 5);
	ck_assert_uint_eq(diff->files[0].hunks[1].old_count, 1);
	ck_assert_uint_eq(diff->files[0].hunks[1].at, 16);
	vg_diff_free(diff);
}
END_TEST

START_TEST(timestamps_are_no_part_of_a_name)
{
	struct vg_diff *diff = parse("--- old/my file.c\t2024-01-01 00:00:00.0 +0000\n"
				     "+++ new/my file.c\t2024-01-02 00:00:00.0 +0000\n"
				     "@@ -1 +1 @@\n-a\n+b\n");

	ck_assert_str_eq(diff->files[0].old_name, "old/my file.c");
	ck_assert(!diff->files[0].git);
	vg_diff_free(diff);
}
END_TEST

START_TEST(quoted_names_are_read_with_their_escapes)
{
	struct vg_diff *diff =
		parse("diff --git \"a/\\303\\251\\t\\\".c\" \"b/\\303\\251\\t\\\".c\"\n"
		      "--- \"a/\\303\\251\\t\\\".c\"\n+++ \"b/\\303\\251\\t\\\".c\"\n"
		      "@@ -1 +1 @@\n-a\n+b\n");

	ck_assert_str_eq(diff->files[0].old_name, "a/\303\251\t\".c");
	vg_diff_free(diff);
}
END_TEST

START_TEST(new_deleted_renamed_and_mode_only_files_are_told_apart)
{
	struct vg_diff *diff = parse(
		"diff --git a/n.h b/n.h\nnew file mode 100644\n--- /dev/null\n+++ b/n.h\n"
		"@@ -0,0 +1 @@\n+x\n"
		"diff --git a/d.h b/d.h\ndeleted file mode 100644\n--- a/d.h\n+++ /dev/null\n"
		"@@ -1 +0,0 @@\n-x\n"
		"diff --git a/o.c b/p.c\nsimilarity index 100%\nrename from o.c\nrename to p.c\n"
		"diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
		"diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n"
		"@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n"
		"diff --git a/i.png b/i.png\nBinary files a/i.png and b/i.png differ\n");

	ck_assert_uint_eq(diff->file_count, 6);
	ck_assert(diff->files[0].created && !diff->files[0].old_name);
	ck_assert(diff->files[1].deleted && !diff->files[1].new_name);
	ck_assert(diff->files[2].renamed);
	ck_assert_str_eq(diff->files[2].old_name, "a/o.c");
	ck_assert_str_eq(diff->files[2].new_name, "b/p.c");
	ck_assert_str_eq(diff->files[3].new_name, "b/run.sh");
	ck_assert(diff->files[4].special);
	ck_assert(!diff->files[4].hunks[0].lines[0].newline);
	ck_assert(diff->files[5].binary);
	vg_diff_free(diff);
}
END_TEST

START_TEST(removed_lines_that_look_like_headers_stay_in_their_hunk)
{
	struct vg_diff *diff = parse("--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- old\n"
				     "+++ new\n same\n");

	ck_assert_uint_eq(diff->file_count, 1);
	ck_assert_uint_eq(diff->files[0].hunks[0].line_count, 3);
	vg_diff_free(diff);
}
END_TEST

START_TEST(a_diff_turned_to_crlf_in_transit_is_read_as_it_was)
{
	struct vg_diff *diff = parse("--- a/x.c\r\n+++ b/x.c\r\n@@ -1,2 +1,2 @@\r\n-a\r\n+b\r\n"
				     "\r\n");

	ck_assert_str_eq(diff->files[0].new_name, "b/x.c");
	ck_assert_uint_eq(diff->files[0].hunks[0].lines[0].length, 1);
	vg_diff_free(diff);
}
END_TEST

START_TEST(a_crlf_file_keeps_its_carriage_returns)
{
	struct vg_diff *diff = parse("--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\r\n+b\r\n");

	ck_assert_uint_eq(diff->files[0].hunks[0].lines[0].length, 2);
	vg_diff_free(diff);
}
END_TEST

START_TEST(what_is_no_diff_is_a_usage_error)
{
	assert_fails("", VG_USAGE, "empty");
	assert_fails("int main(void) { return 0; }\n", VG_USAGE, "not a unified diff");
	assert_fails("@@ -1 +1 @@\n-a\n+b\n", VG_USAGE, "without a file name");
	assert_fails("diff --cc a.c\n@@@ -1,1 -1,1 +1,1 @@@\n", VG_USAGE, "combined diff");
}
END_TEST

START_TEST(a_damaged_hunk_is_refused_with_its_line)
{
	const char *head = "--- a/x.c\n+++ b/x.c\n";
	static const char *const bodies[][2] = {
		{"@@ -1,2 +1,2 @@\n a\n", "fix.diff:5"},
		{"@@ -1,2 +1,2 @@\n a\n*b\n", "starts with none of"},
		{"@@ -1,1 +1,1 @@\n-a\n-b\n", "more lines than its header"},
		{"@@ -x +1 @@\n-a\n+b\n", "its header is not"},
		{"@@ -99999999999,1 +1 @@\n-a\n+b\n", "its header is not"},
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char text[200];

		snprintf(text, sizeof(text), "%s%s", head, bodies[i][0]);
		assert_fails(text, VG_REFUSED, bodies[i][1]);
	}
}
END_TEST

START_TEST(a_missing_diff_is_a_usage_error)
{
	struct vg_diff *diff = NULL;
	struct vg_error *error = vg_diff_open("/nonexistent/fix.diff", &diff);

	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	vg_error_free(error);
	error = vg_diff_open("/", &diff);
	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	vg_error_free(error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diff");
	TCase *tcase = tcase_create("diff");

	tcase_add_test(tcase, a_git_diff_gives_its_files_and_hunks);
	tcase_add_test(tcase, timestamps_are_no_part_of_a_name);
	tcase_add_test(tcase, quoted_names_are_read_with_their_escapes);
	tcase_add_test(tcase, new_deleted_renamed_and_mode_only_files_are_told_apart);
	tcase_add_test(tcase, removed_lines_that_look_like_headers_stay_in_their_hunk);
	tcase_add_test(tcase, a_diff_turned_to_crlf_in_transit_is_read_as_it_was);
	tcase_add_test(tcase, a_crlf_file_keeps_its_carriage_returns);
	tcase_add_test(tcase, what_is_no_diff_is_a_usage_error);
	tcase_add_test(tcase, a_damaged_hunk_is_refused_with_its_line);
	tcase_add_test(tcase, a_missing_diff_is_a_usage_error);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
