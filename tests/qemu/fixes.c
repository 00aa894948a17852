/* SPDX-License-Identifier: MIT */
/*
 * Every folder of patches/qemu becomes what its file `expect` says: a patch of these functions, a
 * refusal by this rule with these words, or nothing at all. The builds themselves are make's (see
 * qemu.mk), which leaves what `vgraft build --json` printed beside the patch.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <vgraft/error.h>

#include "common/cleanup.h"
#include "common/text_file.h"
#include "tests/lib/command.h"
#include "tests/lib/guest.h"
#include "tests/lib/qemu_patch.h"
#include "tests/lib/suite.h"

#define FIXES "patches/qemu"

static struct dirent **folders;
static int folder_count;

struct expect {
	char *text;	       /* the others point into it */
	const char *result;    /* built, unchanged, refused RULE */
	const char *functions; /* "changed a, new b" */
	const char *says;      /* "TEXT | TEXT": what the reasons hold */
};

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", error ? vg_error_text(error) : "");
}

static char *read_text(const char *format, const char *name)
{
	char path[PATH_MAX], *text = NULL;

	snprintf(path, sizeof(path), format, FIXES, name);
	must(vg_text_file_read(path, &text, NULL));
	return text;
}

static const char *value_of(const char *line, const char *key)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length) || strncmp(line + length, ": ", 2))
		return NULL;
	return line + length + 2;
}

static void read_expect(const char *name, struct expect *expect)
{
	char *rest;

	expect->text = read_text("%s/%s/expect", name);
	rest = expect->text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (!*line || *line == '#')
			continue;
		expect->result = value_of(line, "result") ?: expect->result;
		expect->functions = value_of(line, "functions") ?: expect->functions;
		expect->says = value_of(line, "says") ?: expect->says;
	}
	ck_assert_msg(expect->result, FIXES "/%s/expect: no result", name);
}

/* What make's run of the build printed; one that is older than the tool is no answer. */
static json_t *answer_of(const char *name)
{
	char path[PATH_MAX], tool[PATH_MAX];
	struct stat made, built;
	json_error_t problem;
	json_t *answer;

	snprintf(path, sizeof(path), "%s/qemu/%s.json", vg_build_folder(), name);
	snprintf(tool, sizeof(tool), "%s/vgraft", vg_build_folder());
	ck_assert_msg(!stat(path, &made) && !stat(tool, &built), "%s is not there; run make", path);
	ck_assert_msg(made.st_mtim.tv_sec >= built.st_mtim.tv_sec,
		      "%s is older than vgraft; run make", path);
	answer = json_load_file(path, 0, &problem);
	ck_assert_msg(answer != NULL, "%s: %s", path, problem.text);
	return answer;
}

/* The current package is offered until there is a newer one. */
static void skip_if_gone(const char *name, const json_t *answer)
{
	_cleanup_free_ char *manifest = read_text("%s/%s/manifest", name);
	const char *gone = vg_qemu_package_gone(answer);

	if (gone && strstr(manifest, "include: ../debian-12-u18\n"))
		vg_test_skip_at(name, "%s", gone);
}

static void result_of(const json_t *answer, char *text, size_t size)
{
	const json_t *reason = json_array_get(json_object_get(answer, "reasons"), 0);
	const char *result = vg_answer_text(answer, "result");

	if (strcmp(result, "refused") != 0)
		snprintf(text, size, "%s", result);
	else
		snprintf(text, size, "refused %s", vg_answer_text(reason, "rule"));
}

static void functions_of(const json_t *answer, char *text, size_t size)
{
	const json_t *functions = json_object_get(answer, "functions");
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < json_array_size(functions) && used < size; i++) {
		const json_t *function = json_array_get(functions, i);

		used += (size_t)snprintf(text + used, size - used, "%s%s %s", i ? ", " : "",
					 vg_answer_text(function, "kind"),
					 vg_answer_text(function, "name"));
	}
	ck_assert_uint_lt(used, size);
}

static void compare_reasons(const char *name, const json_t *answer, const char *says)
{
	_cleanup_free_ char *reasons = json_dumps(json_object_get(answer, "reasons"), 0);
	_cleanup_free_ char *copy = strdup(says);
	char *rest = copy;

	for (char *words; (words = strsep(&rest, "|"));) {
		size_t blanks = strspn(words, " "), end = strlen(words);

		while (end > blanks && words[end - 1] == ' ')
			words[--end] = '\0';
		ck_assert_msg(strstr(reasons, words + blanks) != NULL, "%s: \"%s\" is not in %s",
			      name, words + blanks, reasons);
	}
}

START_TEST(a_manifest_becomes_what_its_folder_says)
{
	const char *name = folders[_i]->d_name;
	_cleanup_answer_ json_t *answer = answer_of(name);
	char result[256], functions[4096];
	struct expect expect = {0};

	skip_if_gone(name, answer);
	read_expect(name, &expect);
	result_of(answer, result, sizeof(result));
	functions_of(answer, functions, sizeof(functions));
	ck_assert_msg(!strcmp(result, expect.result), "%s is \"%s\", not \"%s\": %s", name, result,
		      expect.result, json_dumps(json_object_get(answer, "reasons"), 0));
	if (strncmp(result, "built", 5) == 0)
		ck_assert_msg(expect.functions != NULL, "%s: the file expect has no functions",
			      name);
	if (expect.functions)
		ck_assert_msg(!strcmp(functions, expect.functions), "%s: \"%s\", not \"%s\"", name,
			      functions, expect.functions);
	if (expect.says)
		compare_reasons(name, answer, expect.says);
	free(expect.text);
}
END_TEST

START_TEST(a_folder_tells_people_what_it_repairs_and_how_that_shows)
{
	const char *name = folders[_i]->d_name;
	_cleanup_free_ char *readme = read_text("%s/%s/README", name);
	_cleanup_free_ char *manifest = read_text("%s/%s/manifest", name);

	ck_assert_msg(strstr(readme, "How the repair shows"), "%s/README", name);
	ck_assert_msg(strstr(manifest, "\nrepairs: ") && strstr(manifest, "\nshows: "),
		      "%s/manifest", name);
}
END_TEST

static bool is_distributions_own(const char *name)
{
	_cleanup_free_ char *manifest = read_text("%s/%s/manifest", name);

	return !strstr(manifest, "\nhooks: ") && !strstr(manifest, "\ndiff: ");
}

START_TEST(at_least_eleven_fixes_go_in_without_code_of_ours)
{
	int built = 0;

	for (int i = 0; i < folder_count; i++) {
		_cleanup_answer_ json_t *answer = answer_of(folders[i]->d_name);

		built += !strcmp(vg_answer_text(answer, "result"), "built") &&
			 is_distributions_own(folders[i]->d_name);
	}
	ck_assert_int_ge(built, 11);
}
END_TEST

static int is_fix(const struct dirent *entry)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), FIXES "/%s/manifest", entry->d_name);
	return entry->d_name[0] != '.' && !stat(path, &st);
}

int main(void)
{
	Suite *suite = suite_create("qemu_fixes");
	TCase *tests = tcase_create("fixes");

	folder_count = scandir(FIXES, &folders, is_fix, alphasort);
	if (folder_count <= 0) {
		fprintf(stderr, "no fixes in %s; run this from the top of the tree\n", FIXES);
		return 1;
	}
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, a_manifest_becomes_what_its_folder_says, 0, folder_count);
	tcase_add_loop_test(tests, a_folder_tells_people_what_it_repairs_and_how_that_shows, 0,
			    folder_count);
	tcase_add_test(tests, at_least_eleven_fixes_go_in_without_code_of_ours);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
