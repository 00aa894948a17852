/* SPDX-License-Identifier: MIT */
/* Diffs applied to a source tree in memory, and the line numbers of the result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/source_tree.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

#define TEN "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"

static struct vg_source_tree tree;

static void open_tree(void)
{
	struct vg_error *error = vg_source_tree_open("tree", &tree);

	ck_assert_msg(!error, "%s", vg_error_text(error));
}

static void apply(const char *diff)
{
	vg_project_write("fix.diff", diff);

	struct vg_error *error = vg_source_tree_apply(&tree, "fix.diff");

	ck_assert_msg(!error, "%s", vg_error_text(error));
}

static void assert_refused(const char *diff, const char *words)
{
	vg_project_write("fix.diff", diff);

	struct vg_error *error = vg_source_tree_apply(&tree, "fix.diff");

	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	ck_assert_msg(strstr(vg_error_text(error), words), "%s", vg_error_text(error));
	ck_assert_uint_eq(tree.count, 0);
	vg_error_free(error);
}

static void assert_content(const char *path, const char *wanted)
{
	const struct vg_touched *touched = vg_source_tree_by_path(&tree, path);
	_cleanup_free_ char *bytes = NULL;
	size_t size;

	ck_assert_msg(touched, "%s is not touched", path);
	ck_assert_ptr_null(vg_text_render(&touched->text, &bytes, &size));
	ck_assert_str_eq(bytes, wanted);
}

static void enter(void)
{
	vg_project_enter();
	vg_project_write("tree/src/a.c", TEN);
	open_tree();
}

static void leave(void)
{
	vg_source_tree_clear(&tree);
	vg_project_leave();
}

START_TEST(without_context_only_the_very_source_of_the_diff_will_do)
{
	static const char diff[] = "--- a/src/a.c\n+++ b/src/a.c\n@@ -2,0 +3 @@\n+new\n"
				   "@@ -9,0 +11,2 @@\n+last\n+one\n";

	assert_refused(diff, "no context");
	tree.exact = true;
	assert_refused("--- a/src/a.c\n+++ b/src/a.c\n@@ -99,0 +100 @@\n+new\n", "no context");
	apply(diff);
	assert_content("src/a.c", "1\n2\nnew\n3\n4\n5\n6\n7\n8\n9\nlast\none\n10\n");
}
END_TEST

START_TEST(the_strip_level_is_found_by_trial)
{
	static const char *const names[][2] = {
		{"src/a.c", "src/a.c"},
		{"a/src/a.c", "b/src/a.c"},
		{"x/y/z/src/a.c", "x.new/y/z/src/a.c"},
		{"/home/user/old/src/a.c", "/home/user/new/src/a.c"},
		{"src/a.c.orig", "src/a.c"},
		{"old/src-1.0/src/a.c", "new/src/a.c"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char diff[300];

		snprintf(diff, sizeof(diff),
			 "--- %s\n+++ %s\n@@ -2,3 +2,3 @@\n 2\n-3\n+three\n 4\n", names[i][0],
			 names[i][1]);
		apply(diff);
		assert_content("src/a.c", "1\n2\nthree\n4\n5\n6\n7\n8\n9\n10\n");
		vg_source_tree_clear(&tree);
		open_tree();
	}
}
END_TEST

START_TEST(a_strip_level_that_is_not_certain_is_refused)
{
	vg_project_write("tree/a.c", TEN);
	vg_project_write("tree/b/a.c", TEN);
	assert_refused("--- b/a.c\n+++ b/a.c\n@@ -2,3 +2,3 @@\n 2\n-3\n+three\n 4\n",
		       "leading folders");
}
END_TEST

START_TEST(a_hunk_may_have_moved_to_the_one_place_where_it_matches)
{
	apply("--- a/src/a.c\n+++ b/src/a.c\n@@ -2,3 +2,3 @@\n 7\n-8\n+eight\n 9\n");
	assert_content("src/a.c", "1\n2\n3\n4\n5\n6\n7\neight\n9\n10\n");
	ck_assert_uint_eq(tree.notes.count, 1);
}
END_TEST

START_TEST(a_moved_hunk_with_two_places_is_refused)
{
	vg_project_write("tree/src/a.c", "x\nz\na\nb\nc\n.\na\nb\nc\n");
	assert_refused("--- a/src/a.c\n+++ b/src/a.c\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n",
		       "lines 3 and 7");
}
END_TEST

START_TEST(context_must_match_to_the_last_byte)
{
	assert_refused("--- a/src/a.c\n+++ b/src/a.c\n@@ -2,3 +2,3 @@\n 2\n-3\n+x\n 4 \n",
		       "fix.diff:3: the hunk does not apply to src/a.c:2");
}
END_TEST

START_TEST(an_applied_diff_is_refused_as_such)
{
	assert_refused("--- a/src/a.c\n+++ b/src/a.c\n@@ -2,3 +2,3 @@\n 2\n-THREE\n+3\n 4\n",
		       "applied there already");
}
END_TEST

START_TEST(a_missing_newline_at_the_end_is_content)
{
	vg_project_write("tree/src/b.c", "one\ntwo");
	assert_refused("--- a/src/b.c\n+++ b/src/b.c\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
		       "does not apply");
	apply("--- a/src/b.c\n+++ b/src/b.c\n@@ -1,2 +1,2 @@\n one\n-two\n"
	      "\\ No newline at end of file\n+2\n");
	assert_content("src/b.c", "one\n2\n");
}
END_TEST

START_TEST(paths_out_of_the_tree_are_refused)
{
	vg_project_write("outside/a.c", TEN);
	vg_project_shell("ln -s ../outside tree/link; ln -s ../../outside/a.c tree/src/l.c");
	assert_refused("--- a/../outside/a.c\n+++ b/../outside/a.c\n@@ -1 +1 @@\n-1\n+x\n",
		       "leads out");
	assert_refused("--- a/link/a.c\n+++ b/link/a.c\n@@ -1,2 +1,2 @@\n-1\n+x\n 2\n", "leads");
	assert_refused("--- a/src/l.c\n+++ b/src/l.c\n@@ -1,2 +1,2 @@\n-1\n+x\n 2\n", "leads");
	assert_refused("diff --git a/link/n.c b/link/n.c\nnew file mode 100644\n--- /dev/null\n"
		       "+++ b/link/n.c\n@@ -0,0 +1 @@\n+x\n",
		       "leads");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	assert_refused("--- a/src/gone.c\n+++ b/src/gone.c\n@@ -1 +1 @@\n-1\n+x\n",
		       "a/src/gone.c, which is not in the source tree");
}
END_TEST

START_TEST(files_are_created_deleted_and_renamed)
{
	apply("diff --git a/src/n.h b/src/n.h\nnew file mode 100644\n--- /dev/null\n"
	      "+++ b/src/n.h\n@@ -0,0 +1 @@\n+new\n"
	      "diff --git a/src/a.c b/src/b.c\nsimilarity index 90%\nrename from src/a.c\n"
	      "rename to src/b.c\n--- a/src/a.c\n+++ b/src/b.c\n@@ -1,2 +1,2 @@\n-1\n+one\n 2\n");
	assert_content("src/n.h", "new\n");
	assert_content("src/b.c", "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
	ck_assert(vg_source_tree_by_path(&tree, "src/a.c")->deleted);
	ck_assert_str_eq(vg_source_tree_by_path(&tree, "src/b.c")->from, "src/a.c");
}
END_TEST

START_TEST(a_file_that_the_diff_creates_must_not_be_there)
{
	assert_refused("diff --git a/src/a.c b/src/a.c\nnew file mode 100644\n--- /dev/null\n"
		       "+++ b/src/a.c\n@@ -0,0 +1 @@\n+new\n",
		       "is there already");
}
END_TEST

START_TEST(several_diffs_apply_on_top_of_each_other)
{
	apply("--- a/src/a.c\n+++ b/src/a.c\n@@ -2,3 +2,4 @@\n 2\n+2.5\n 3\n 4\n");
	apply("--- a/src/a.c\n+++ b/src/a.c\n@@ -2,3 +2,3 @@\n 2\n-2.5\n+2.75\n 3\n");
	assert_content("src/a.c", "1\n2\n2.75\n3\n4\n5\n6\n7\n8\n9\n10\n");
}
END_TEST

START_TEST(a_hunk_without_context_is_refused)
{
	assert_refused("--- a/src/a.c\n+++ b/src/a.c\n@@ -2,0 +3 @@\n+x\n", "no context");
}
END_TEST

/* Applies a diff from `pre` to `post` (made by diff -u) and gives the re-synchronised text. */
static char *resynced(const char *pre, const char *post)
{
	_cleanup_free_ char *diff = NULL;
	char *bytes = NULL;
	size_t size;

	vg_project_write("tree/r.c", pre);
	vg_project_write("post/r.c", post);
	ck_assert_int_eq(vg_project_output(&diff, "diff -u tree/r.c post/r.c"), 1);
	vg_source_tree_clear(&tree);
	open_tree();
	apply(diff);
	ck_assert_ptr_null(vg_text_render_resynced(&vg_source_tree_by_path(&tree, "r.c")->text,
						   &bytes, &size));
	return bytes;
}

static void assert_resynced(const char *pre, const char *post, const char *wanted)
{
	_cleanup_free_ char *bytes = resynced(pre, post);

	ck_assert_str_eq(bytes, wanted);
}

START_TEST(unchanged_lines_keep_their_numbers)
{
	assert_resynced("a;\nb;\nc;\n", "a;\nnew;\nb;\nc;\n", "a;\nnew;\n#line 2\nb;\nc;\n");
	assert_resynced("a;\nb;\nc;\n", "a;\nc;\n", "a;\n#line 3\nc;\n");
	assert_resynced("a;\nb;\nc;\n", "a;\nB;\nc;\n", "a;\nB;\nc;\n");
}
END_TEST

START_TEST(each_change_of_a_hunk_is_resynchronised_on_its_own)
{
	assert_resynced("a;\nb;\nc;\nd;\n", "x;\na;\nb;\ny;\nc;\nd;\n",
			"x;\n#line 1\na;\nb;\ny;\n#line 3\nc;\nd;\n");
}
END_TEST

START_TEST(no_directive_goes_where_it_would_break_the_code)
{
	/* a block comment, a continued line, a macro call, a raw string */
	assert_resynced("/* a\n b */\nx;\n", "/* new\n a\n b */\nx;\n",
			"/* new\n a\n b */\n#line 3\nx;\n");
	assert_resynced("#define M \\\n 1\nx;\n", "#define M \\\n 2 + \\\n 1\nx;\n",
			"#define M \\\n 2 + \\\n 1\n#line 3\nx;\n");
	assert_resynced("M(a,\n b);\nx;\n", "M(a,\n new,\n b);\nx;\n",
			"M(a,\n new,\n b);\n#line 3\nx;\n");
	assert_resynced("s = R\"x(\n)\"\n)x\";\nx;\n", "s = R\"x(\nnew\n)\"\n)x\";\nx;\n",
			"s = R\"x(\nnew\n)\"\n)x\";\n#line 4\nx;\n");
	assert_resynced("s = \"a\\\n(\";\nx;\n", "s = \"a\\\nb\\\n(\";\nx;\n",
			"s = \"a\\\nb\\\n(\";\n#line 3\nx;\n");
	assert_resynced("// a \\\n (\nx;\n", "// a \\\n new ( \\\n (\nx;\n",
			"// a \\\n new ( \\\n (\n#line 3\nx;\n");
}
END_TEST

START_TEST(parentheses_in_strings_and_directives_do_not_count)
{
	assert_resynced("a = '(';\nb = \"(\\\"(\";\nc;\n", "a = '(';\nb = \"(\\\"(\";\nn;\nc;\n",
			"a = '(';\nb = \"(\\\"(\";\nn;\n#line 3\nc;\n");
	assert_resynced("#define OPEN (\nb;\nc;\n", "#define OPEN (\nn;\nb;\nc;\n",
			"#define OPEN (\nn;\n#line 2\nb;\nc;\n");
}
END_TEST

START_TEST(branches_of_a_conditional_count_their_parentheses_once)
{
	assert_resynced("#if A\nf(\n#else\ng(\n#endif\n1);\nb;\nc;\n",
			"#if A\nf(\n#else\ng(\n#endif\n1);\nn;\nb;\nc;\n",
			"#if A\nf(\n#else\ng(\n#endif\n1);\nn;\n#line 7\nb;\nc;\n");
}
END_TEST

START_TEST(numbers_are_said_again_behind_a_group_that_may_be_skipped)
{
	assert_resynced("#if A\na;\nb;\n#endif\nc;\nd;\n", "#if A\na;\nn;\nb;\n#endif\nc;\nd;\n",
			"#if A\na;\nn;\n#line 3\nb;\n#endif\n#line 5\nc;\nd;\n");
}
END_TEST

START_TEST(a_source_with_line_directives_of_its_own_keeps_them)
{
	assert_resynced("a;\n#line 100 \"g.y\"\nb;\nc;\n", "a;\n#line 100 \"g.y\"\nb;\nn;\nc;\n",
			"a;\n#line 100 \"g.y\"\nb;\nn;\n#line 101\nc;\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("source_tree");
	TCase *tcase = tcase_create("source_tree");

	tcase_add_checked_fixture(tcase, enter, leave);
	tcase_add_test(tcase, without_context_only_the_very_source_of_the_diff_will_do);
	tcase_add_test(tcase, the_strip_level_is_found_by_trial);
	tcase_add_test(tcase, a_strip_level_that_is_not_certain_is_refused);
	tcase_add_test(tcase, a_hunk_may_have_moved_to_the_one_place_where_it_matches);
	tcase_add_test(tcase, a_moved_hunk_with_two_places_is_refused);
	tcase_add_test(tcase, context_must_match_to_the_last_byte);
	tcase_add_test(tcase, an_applied_diff_is_refused_as_such);
	tcase_add_test(tcase, a_missing_newline_at_the_end_is_content);
	tcase_add_test(tcase, paths_out_of_the_tree_are_refused);
	tcase_add_test(tcase, a_file_that_is_not_there_is_named);
	tcase_add_test(tcase, files_are_created_deleted_and_renamed);
	tcase_add_test(tcase, a_file_that_the_diff_creates_must_not_be_there);
	tcase_add_test(tcase, several_diffs_apply_on_top_of_each_other);
	tcase_add_test(tcase, a_hunk_without_context_is_refused);
	tcase_add_test(tcase, unchanged_lines_keep_their_numbers);
	tcase_add_test(tcase, each_change_of_a_hunk_is_resynchronised_on_its_own);
	tcase_add_test(tcase, no_directive_goes_where_it_would_break_the_code);
	tcase_add_test(tcase, parentheses_in_strings_and_directives_do_not_count);
	tcase_add_test(tcase, branches_of_a_conditional_count_their_parentheses_once);
	tcase_add_test(tcase, numbers_are_said_again_behind_a_group_that_may_be_skipped);
	tcase_add_test(tcase, a_source_with_line_directives_of_its_own_keeps_them);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
