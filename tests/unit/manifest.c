/* SPDX-License-Identifier: MIT */
/* Manifests: what is read from them, what is refused and where, and which hunks they pick. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vgraft/error.h>

#include "common/error.h"
#include "differ/manifest.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Line 15 of a manifest is the first behind these. */
static const char rest[] = "patch: fix-1\n"
			   "cve: CVE-2024-0001\n"
			   "repairs: a guest stops the host\n"
			   "source: emu 1:7.2-7+deb12u18\n"
			   "file: emu_7.2.dsc " SUM "\n"
			   "leave-out: a.diff b.diff\n"
			   "version: 1:7.2-7+deb12u15\n"
			   "package: emu-x86 " SUM "\n"
			   "binary: emu-x86 usr/bin/emu 0123456789abcdef emu\n"
			   "configure: ./configure --with='two words'   \n"
			   "configure: make headers\n"
			   "build: b/emu\n"
			   "target: usr/bin/emu\n"
			   "hunks: fix.diff hw/usb.c usb_handle usb_reset\n";

static struct vg_arena arena;
static struct vg_manifest *manifest;

static void enter(void)
{
	arena = (struct vg_arena){0};
	manifest = NULL;
	vg_project_enter();
}

static void leave(void)
{
	vg_arena_clear(&arena);
	vg_project_leave();
}

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", error ? vg_error_text(error) : "");
}

static void fails(struct vg_error *error, enum vg_code code, const char *words)
{
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(vg_error_text(error), words) != NULL, "\"%s\" does not say \"%s\"",
		      vg_error_text(error), words);
	ck_assert_int_eq(vg_error_code(error), code);
	vg_error_free(error);
}

static struct vg_error *parse(const char *more)
{
	char text[4096];
	int length = snprintf(text, sizeof(text), "%s%s", rest, more);

	return vg_manifest_parse(&arena, text, (size_t)length, "fix/manifest", &manifest);
}

START_TEST(a_manifest_says_all_that_a_build_needs)
{
	must(parse("hooks: hooks.c\nhooks: ../other/hooks.c\ndepends: other\nreplace: yes\nallow: "
		   "data\nshows: it ends\n"));
	ck_assert_str_eq(manifest->name, "fix-1");
	ck_assert_str_eq(manifest->source, "emu");
	ck_assert_str_eq(manifest->source_version, "1:7.2-7+deb12u18");
	ck_assert_uint_eq(manifest->left_out.count, 2);
	ck_assert_str_eq(manifest->left_out.at[1], "b.diff");
	ck_assert_str_eq(manifest->configure.at[0], "./configure --with='two words'");
	ck_assert_str_eq(manifest->configure.at[1], "make headers");
	ck_assert_str_eq(vg_manifest_target(manifest)->build_id, "0123456789abcdef");
	ck_assert_uint_eq(manifest->hunks.at[0].functions.count, 2);
	ck_assert_str_eq(manifest->hooks.at[0], "./hooks.c");
	ck_assert_str_eq(manifest->hooks.at[1], "./../other/hooks.c");
	ck_assert(manifest->replace);
}
END_TEST

START_TEST(what_fixes_have_in_common_is_included_from_one_file)
{
	vg_project_write("fixes/common", strstr(rest, "source:"));
	vg_project_write("fixes/one/manifest",
			 "# a comment\n\npatch: one\nrepairs: a\ninclude: ../common\n");
	must(vg_manifest_open(&arena, "fixes/one/manifest", &manifest));
	ck_assert_str_eq(manifest->name, "one");
	ck_assert_str_eq(manifest->target, "usr/bin/emu");
	ck_assert_str_eq(manifest->hunks.at[0].where, "fixes/one/../common:11");
}
END_TEST

START_TEST(a_mistake_is_named_with_file_and_line)
{
	static const struct {
		const char *line, *words;
	} wrong[] = {
		{"nonsense", "fix/manifest:15: this is no line"},
		{"\nfixes: x", "fix/manifest:16: there is no key \"fixes\""},
		{"patch: again", "fix/manifest:15: `patch` stands here for the second time"},
		{"cve: -rf", "fix/manifest:15: \"-rf\" is no CVE"},
		{"file: a.dsc 0123", "fix/manifest:15: \"0123\" is no SHA-256"},
		{"file: ../a.dsc " SUM, "fix/manifest:15: \"../a.dsc\" is no"},
		{"file: a.dsc", "the form is `file: NAME SHA256`"},
		{"hunks: ../../etc/x.diff a.c", "\"../../etc/x.diff\" is no patch"},
		{"hunks: a.diff /etc/passwd", "\"/etc/passwd\" is no path"},
		{"hooks: ../x/../../y.c", "is no path of a file"},
		{"binary: emu ../sh 0123 emu", "\"../sh\" is no path in a package"},
		{"binary: emu bin/sh 012 emu", "\"012\" is no build-id"},
		{"replace: no", "is no answer to `replace`"},
		{"commit: a.diff", "the form is `commit: PATCH TITLE`"},
		{"configure:", "the form is `configure: COMMAND`"},
		{"include: other", "an include needs a file"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		fails(parse(wrong[i].line), VG_USAGE, wrong[i].words);
}
END_TEST

START_TEST(what_is_missing_is_named)
{
	static const char *const keys[] = {"patch",   "repairs", "source",   "file",
					   "version", "package", "binary",   "build",
					   "target",  "hunks",	 "configure"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char text[sizeof(rest)], words[64];

		snprintf(text, sizeof(text), "%s", rest);
		snprintf(words, sizeof(words), "%s: ", keys[i]);
		for (char *at; (at = strstr(text, words));)
			memset(at, '#', strcspn(at, "\n"));
		snprintf(words, sizeof(words), "`%s` is missing", keys[i]);
		fails(vg_manifest_parse(&arena, text, strlen(text), "m", &manifest), VG_USAGE,
		      words);
	}
}
END_TEST

START_TEST(a_target_that_no_package_holds_is_refused)
{
	char text[sizeof(rest)];

	snprintf(text, sizeof(text), "%s", rest);
	strstr(text, "target: usr/bin/emu")[sizeof("target: usr/bin/em") - 1] = 'x';
	fails(vg_manifest_parse(&arena, text, strlen(text), "m", &manifest), VG_USAGE,
	      "no `binary` has the path");
	snprintf(text, sizeof(text), "%s", rest);
	strstr(text, "package: emu-x86")[sizeof("package: emu-x8") - 1] = '7';
	fails(vg_manifest_parse(&arena, text, strlen(text), "m", &manifest), VG_USAGE,
	      "which no `package` line names");
}
END_TEST

START_TEST(includes_that_go_round_end)
{
	vg_project_write("a", "include: b\n");
	vg_project_write("b", "include: a\n");
	fails(vg_manifest_open(&arena, "a", &manifest), VG_USAGE, "nested more than");
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
	fails(vg_manifest_parse(&arena, "patch: a\0b\n", 11, "m", &manifest), VG_USAGE, "NUL byte");
	fails(vg_manifest_open(&arena, "not-there", &manifest), VG_USAGE, "not-there");
}
END_TEST

static const char cumulative[] = "Subject: v7.2.21\n"
				 "\n"
				 "diff --git a/hw/usb.c b/hw/usb.c\n"
				 "--- a/hw/usb.c\n"
				 "+++ b/hw/usb.c\n"
				 "@@ -10,3 +10,3 @@ static int usb_handle(struct s *s)\n"
				 " one\n"
				 "-two\n"
				 "+2\n"
				 " three\n"
				 "@@ -30,3 +30,3 @@ void usb_handle_all(void)\n"
				 " }\n"
				 "-int usb_reset(void)\n"
				 "+void usb_reset(void)\n"
				 " {\n"
				 "@@ -50,1 +50,1 @@ other(void)\n"
				 "-\tusb_reset();\n"
				 "+\tusb_stop();\n"
				 "diff --git a/hw/net.c b/hw/net.c\n"
				 "--- a/hw/net.c\n"
				 "+++ b/hw/net.c\n"
				 "@@ -1,1 +1,1 @@\n"
				 "-x\n"
				 "+y\n";

static struct vg_error *pick(const char *line, const char **diff)
{
	char text[sizeof(rest) + 128];
	size_t size;

	vg_project_write("patches/fix.diff", cumulative);
	snprintf(text, sizeof(text), "%.*s%s\n", (int)(strstr(rest, "hunks:") - rest), rest, line);
	must(vg_manifest_parse(&arena, text, strlen(text), "m", &manifest));
	return vg_manifest_diff(manifest, "patches", diff, &size);
}

START_TEST(hunks_are_picked_by_file)
{
	const char *diff;

	must(pick("hunks: fix.diff hw/net.c", &diff));
	ck_assert_str_eq(diff, "--- a/hw/net.c\n+++ b/hw/net.c\n@@ -1,1 +1,1 @@\n-x\n+y\n");
	fails(pick("hunks: fix.diff hw/none.c", &diff), VG_USAGE,
	      "m:14: patches/fix.diff does not change hw/none.c");
	fails(pick("hunks: other.diff hw/usb.c", &diff), VG_USAGE, "patches/other.diff");
}
END_TEST

START_TEST(a_diff_of_ones_own_follows_the_hunks)
{
	static const char own[] = "--- a/own.c\n+++ b/own.c\n@@ -1 +1 @@\n-a\n+b\n";
	const char *diff;

	vg_project_write("own.diff", own);
	must(pick("diff: own.diff", &diff));
	ck_assert_str_eq(diff, own);
	must(pick("hunks: fix.diff hw/net.c\ndiff: own.diff", &diff));
	ck_assert_ptr_nonnull(strstr(diff, "+y\n"));
	ck_assert_str_eq(strstr(diff, "--- a/own.c"), own);
	fails(pick("diff: none.diff", &diff), VG_USAGE, "./none.diff");
}
END_TEST

START_TEST(hunks_are_picked_by_function)
{
	const char *diff;

	must(pick("hunks: fix.diff hw/usb.c usb_handle", &diff));
	ck_assert_str_eq(diff,
			 "--- a/hw/usb.c\n+++ b/hw/usb.c\n@@ -10,3 +10,3 @@\n one\n-two\n+2\n "
			 "three\n");
	/* By its definition; the hunk that merely calls it belongs to another. */
	must(pick("hunks: fix.diff hw/usb.c usb_reset", &diff));
	ck_assert_ptr_nonnull(strstr(diff, "@@ -30,3"));
	ck_assert_ptr_null(strstr(diff, "@@ -50,1"));
	fails(pick("hunks: fix.diff hw/usb.c usb_handle usb", &diff), VG_USAGE,
	      "has no hunk of usb in hw/usb.c");
}
END_TEST

START_TEST(hunks_are_picked_by_commit_title)
{
	static const char mails[] = "From 0123 Mon Sep 17 00:00:00 2001\n"
				    "Subject: [PATCH 1/2] net: check the\n"
				    " length\n"
				    "\n"
				    "--- a/net.c\n"
				    "+++ b/net.c\n"
				    "@@ -1,1 +1,1 @@\n"
				    "-x\n"
				    "+y\n"
				    "From 4567 Mon Sep 17 00:00:00 2001\n"
				    "Subject: [PATCH 2/2] net: check\n"
				    "\n"
				    "--- a/usb.c\n"
				    "+++ b/usb.c\n"
				    "@@ -1,1 +1,1 @@\n"
				    "-p\n"
				    "+q\n";
	const char *diff;

	vg_project_write("patches/mails.patch", mails);
	must(pick("commit: mails.patch net: check the length", &diff));
	ck_assert_str_eq(diff, "--- a/net.c\n+++ b/net.c\n@@ -1,1 +1,1 @@\n-x\n+y\n");
	must(pick("commit: mails.patch net: check", &diff));
	ck_assert_str_eq(diff, "--- a/usb.c\n+++ b/usb.c\n@@ -1,1 +1,1 @@\n-p\n+q\n");
	fails(pick("commit: mails.patch net: check the", &diff), VG_USAGE,
	      "has no hunk of a commit \"net: check the\"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest");
	TCase *tests = tcase_create("manifest");

	tcase_add_checked_fixture(tests, enter, leave);
	tcase_add_test(tests, a_manifest_says_all_that_a_build_needs);
	tcase_add_test(tests, what_fixes_have_in_common_is_included_from_one_file);
	tcase_add_test(tests, a_mistake_is_named_with_file_and_line);
	tcase_add_test(tests, what_is_missing_is_named);
	tcase_add_test(tests, a_target_that_no_package_holds_is_refused);
	tcase_add_test(tests, includes_that_go_round_end);
	tcase_add_test(tests, bytes_that_are_no_text_are_refused);
	tcase_add_test(tests, hunks_are_picked_by_file);
	tcase_add_test(tests, a_diff_of_ones_own_follows_the_hunks);
	tcase_add_test(tests, hunks_are_picked_by_function);
	tcase_add_test(tests, hunks_are_picked_by_commit_title);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
