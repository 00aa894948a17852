/* SPDX-License-Identifier: MIT */
/*
 * Debian's own binary and a manifest: what comes out is a patch of exactly the functions of the
 * fix; what does not belong together is refused. The patch itself was made before (see qemu.mk), so
 * that all that takes minutes is there.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vgraft/error.h>

#include "common/cleanup.h"
#include "common/text_file.h"
#include "tests/lib/command.h"
#include "tests/lib/guest.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#define FIX	 "patches/qemu/CVE-2024-8354/manifest"
#define PREPARED "packages/qemu_7.2+dfsg-7+deb12u15"

static char folder[] = "/tmp/vgraft-qemu-manifest-XXXXXX";
static char output[PATH_MAX], work[PATH_MAX];

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", error ? vg_error_text(error) : "");
}

static void enter(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(output, sizeof(output), "%s/out.vgp", folder);
	snprintf(work, sizeof(work), "%s/packages", vg_build_folder());
}

static void leave(void)
{
	const char *const remove[] = {"rm", "-rf", folder, NULL};

	vg_error_free(vg_process_must_run(remove));
}

static const char *first_text(const json_t *answer, const char *key)
{
	return vg_answer_text(json_array_get(json_object_get(answer, "reasons"), 0), key);
}

static void has(const char *text, const char *words)
{
	ck_assert_msg(strstr(text, words) != NULL, "\"%s\" does not say \"%s\"", text, words);
}

static void is_not_written(void)
{
	ck_assert_int_ne(access(output, F_OK), 0);
}

/* The same bytes as in the first build, in a moment: everything that takes long is used again. */
START_TEST(the_fix_becomes_a_patch_of_one_function_of_the_stripped_binary)
{
	_cleanup_answer_ json_t *answer = NULL;
	_cleanup_free_ char *first = NULL, *second = NULL;
	const char *const build[] = {"build", "--manifest", FIX,    "--work",
				     work,    "-o",	    output, NULL};
	size_t first_size, second_size;
	char before[PATH_MAX];
	json_t *functions, *parts;

	must(vg_command_must(build, &answer));
	ck_assert_str_eq(vg_answer_text(answer, "result"), "built");
	ck_assert_str_eq(vg_answer_text(answer, "build_id"),
			 "5c4d30a03a15a9107dec8fc5908c9dcf1927549c");
	functions = json_object_get(answer, "functions");
	ck_assert_uint_eq(json_array_size(functions), 1);
	ck_assert_str_eq(vg_answer_text(json_array_get(functions, 0), "name"), "uhci_handle_td");
	parts = json_object_get(json_array_get(functions, 0), "parts");
	ck_assert_str_eq(json_string_value(json_array_get(parts, 0)), "uhci_handle_td.cold");
	snprintf(before, sizeof(before), "%s/qemu/CVE-2024-8354.vgp", vg_build_folder());
	must(vg_text_file_read(before, &first, &first_size));
	must(vg_text_file_read(output, &second, &second_size));
	ck_assert_mem_eq(first, second, first_size < second_size ? first_size : second_size);
	ck_assert_uint_eq(first_size, second_size);
}
END_TEST

/* What the stripped binary does not tell is read from code that matched: statics, strings, trace
 * events. */
START_TEST(references_are_read_from_matched_code)
{
	_cleanup_answer_ json_t *answer = NULL;
	char patch[PATH_MAX];
	const char *const inspect[] = {"inspect", patch, NULL};
	_cleanup_free_ char *text = NULL;

	snprintf(patch, sizeof(patch), "%s/qemu/CVE-2024-8354.vgp", vg_build_folder());
	must(vg_command_must(inspect, &answer));
	text = json_dumps(answer, 0);
	has(text, "uhci_queue_free");
	has(text, "uhci_queue_fill.isra.0");
	has(text, "_TRACE_USB_UHCI_PACKET_ADD_DSTATE");
	has(text, "pending td non-active");
	has(text, "__PRETTY_FUNCTION__");
}
END_TEST

START_TEST(another_build_is_refused_with_both_versions_and_build_ids)
{
	_cleanup_answer_ json_t *answer = NULL;
	char other[PATH_MAX];
	const char *const build[] = {"build",	 "--manifest", FIX,  "--work", work,
				     "--target", other,	       "-o", output,   NULL};
	int code;

	snprintf(other, sizeof(other), "%s/qemu/u15/usr/bin/qemu-system-x86_64-microvm",
		 vg_build_folder());
	must(vg_command(build, &code, &answer));
	ck_assert_int_eq(code, VG_REFUSED);
	has(first_text(answer, "text"), "1:7.2+dfsg-7+deb12u15");
	has(first_text(answer, "text"), "5c4d30a03a15a9107dec8fc5908c9dcf1927549c");
	has(first_text(answer, "text"), "with build-id ");
	is_not_written();
}
END_TEST

START_TEST(an_installed_file_of_another_version_is_named_by_its_version)
{
	_cleanup_answer_ json_t *answer = NULL;
	const char *const build[] = {"build",	 "--manifest", FIX,  "--work", work,
				     "--target", "/bin/true",  "-o", output,   NULL};
	int code;

	must(vg_command(build, &code, &answer));
	ck_assert_int_eq(code, VG_REFUSED);
	has(first_text(answer, "text"), "it is coreutils ");
	is_not_written();
}
END_TEST

/* A manifest beside the real one, with one line put in the place of another. */
static void write_manifest(const char *path, const char *key, const char *line)
{
	_cleanup_free_ char *fix = NULL, *package = realpath("patches/qemu/debian-12-u15", NULL);
	_cleanup_fclose_ FILE *file = fopen(path, "w");
	char *rest;

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(package);
	must(vg_text_file_read(FIX, &fix, NULL));
	fprintf(file, "include: %s\n", package);
	rest = fix;
	for (char *at; (at = strsep(&rest, "\n"));)
		if (strncmp(at, "include:", 8) != 0)
			fprintf(file, "%s\n", strncmp(at, key, strlen(key)) != 0 ? at : line);
}

static void refuses(const char *key, const char *line, int expected, const char *words)
{
	_cleanup_answer_ json_t *answer = NULL;
	char manifest[PATH_MAX];
	const char *const build[] = {"build", "--manifest", manifest, "--work",
				     work,    "-o",	    output,   NULL};
	int code;

	snprintf(manifest, sizeof(manifest), "%s/manifest", folder);
	write_manifest(manifest, key, line);
	must(vg_command(build, &code, &answer));
	has(first_text(answer, "text"), words);
	ck_assert_int_eq(code, expected);
	is_not_written();
}

START_TEST(a_hunk_that_is_not_there_is_named_with_the_manifests_line)
{
	refuses("hunks:", "hunks: v7.2.21.diff hw/usb/hcd-uhci.c uhci_nothing", VG_USAGE,
		"has no hunk of uhci_nothing in hw/usb/hcd-uhci.c");
	refuses("hunks:", "hunks: v7.2.99.diff hw/usb/hcd-uhci.c", VG_USAGE, "v7.2.99.diff");
}
END_TEST

START_TEST(a_fix_that_the_source_has_already_does_not_apply)
{
	refuses("hunks:", "hunks: v7.2.6.diff hw/usb/hcd-uhci.c", VG_REFUSED, "hw/usb/hcd-uhci.c");
}
END_TEST

/* The compile commands of the prepared source, at another optimisation level. */
static void write_commands(const char *path)
{
	char prepared[PATH_MAX];
	json_t *commands, *entry;
	size_t index;

	snprintf(prepared, sizeof(prepared),
		 "%s/" PREPARED "/program-qemu-system-x86_64-b-qemu.json", vg_build_folder());
	commands = json_load_file(prepared, 0, NULL);
	ck_assert_uint_gt(json_array_size(commands), 1000);
	json_array_foreach(commands, index, entry)
	{
		_cleanup_free_ char *command = NULL;

		ck_assert_int_ge(asprintf(&command, "%s -O1",
					  json_string_value(json_object_get(entry, "command"))),
				 0);
		json_object_set_new(entry, "command", json_string(command));
	}
	ck_assert_int_eq(json_dump_file(commands, path, 0), 0);
	json_decref(commands);
}

START_TEST(source_that_does_not_match_is_refused_with_the_function_and_the_difference)
{
	_cleanup_answer_ json_t *answer = NULL, *built = NULL;
	const char *const first[] = {"build", "--manifest", FIX,    "--work",
				     work,    "-o",	    output, NULL};
	char source[PATH_MAX], diff[PATH_MAX], commands[PATH_MAX], target[PATH_MAX];
	const char *const build[] = {"build",	 "--source", source,	 "--diff", diff,
				     "--compdb", commands,   "--target", target,   "--name",
				     "other",	 "-o",	     output,	 NULL};
	int code;

	snprintf(source, sizeof(source), "%s/" PREPARED "/source", vg_build_folder());
	snprintf(diff, sizeof(diff), "%s/" PREPARED "/CVE-2024-8354.diff", vg_build_folder());
	snprintf(target, sizeof(target), "%s/qemu/u15/usr/bin/qemu-system-x86_64",
		 vg_build_folder());
	snprintf(commands, sizeof(commands), "%s/commands.json", folder);
	must(vg_command_must(first, &built)); /* writes the diff that is used below */
	ck_assert_int_eq(unlink(output), 0);
	write_commands(commands);
	must(vg_command(build, &code, &answer));
	ck_assert_int_eq(code, VG_REFUSED);
	ck_assert_str_eq(first_text(answer, "rule"), "mismatch");
	has(first_text(answer, "text"), "uhci_handle_td");
	is_not_written();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu_manifest");
	TCase *tests = tcase_create("manifest");

	tcase_set_timeout(tests, 600);
	tcase_add_checked_fixture(tests, enter, leave);
	tcase_add_test(tests, the_fix_becomes_a_patch_of_one_function_of_the_stripped_binary);
	tcase_add_test(tests, references_are_read_from_matched_code);
	tcase_add_test(tests, another_build_is_refused_with_both_versions_and_build_ids);
	tcase_add_test(tests, an_installed_file_of_another_version_is_named_by_its_version);
	tcase_add_test(tests, a_hunk_that_is_not_there_is_named_with_the_manifests_line);
	tcase_add_test(tests, a_fix_that_the_source_has_already_does_not_apply);
	tcase_add_test(tests,
		       source_that_does_not_match_is_refused_with_the_function_and_the_difference);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
