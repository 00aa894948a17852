/* SPDX-License-Identifier: MIT */
/*
 * The command as scripts meet it: exit codes, one sentence on stderr, one JSON object per line on
 * stdout. Runs the program itself: $VGRAFT, or vgraft in the build folder of this test.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vgraft/error.h>
#include <vgraft/patch.h>

#include "common/cleanup.h"
#include "common/patch_object.h"
#include "common/text_file.h"
#include "tests/lib/suite.h"

static char *command;
static char directory[] = "/tmp/vgraft-cli-XXXXXX";

struct answer {
	int code;
	char *out, *err;
};

static void answer_clear(struct answer *answer)
{
	free(answer->out);
	free(answer->err);
}

static char *read_back(int fd)
{
	char *text;

	lseek(fd, 0, SEEK_SET);
	ck_assert_ptr_null(vg_text_file_read_fd(fd, "output", &text, NULL));
	return text;
}

/* Runs `vgraft` with the blank-separated words of a line, in the test's directory. */
static struct answer run(const char *line)
{
	_cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);
	_cleanup_free_ char *copy = strdup(line);
	char *words[64] = {command}, *rest = copy;
	size_t count = 1;
	int status;

	for (char *word; (word = strsep(&rest, " "));)
		if (*word)
			words[count++] = strcmp(word, "''") == 0 ? (char *)"" : word;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		if (chdir(directory) == 0)
			execv(command, words);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "vgraft %s: ended by signal %d", line, WTERMSIG(status));
	return (struct answer){WEXITSTATUS(status), read_back(out), read_back(err)};
}

static void write_file(const char *name, const void *bytes, size_t count)
{
	_cleanup_free_ char *path = NULL;

	ck_assert_int_gt(asprintf(&path, "%s/%s", directory, name), 0);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
	ck_assert_int_eq(fclose(file), 0);
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

/* The tool says who speaks, whether the sentence is its own or getopt's. */
static void expect_sentence(const char *line, const struct answer *answer)
{
	ck_assert_msg(strncmp(answer->err, "vgraft", 6) == 0, "vgraft %s: no sentence: '%s'", line,
		      answer->err);
}

static void expect_usage_error(const char *line)
{
	_cleanup_(answer_clear) struct answer answer = run(line);

	ck_assert_msg(answer.code == VG_USAGE, "vgraft %s: expected 2, got %d (%s)", line,
		      answer.code, answer.err);
	ck_assert_msg(answer.out[0] == '\0', "vgraft %s: printed on stdout: %s", line, answer.out);
	if (*line)
		expect_sentence(line, &answer);
}

/* The smallest object that a reader accepts: one function that is new. */
static void make_object(uint8_t **bytes, size_t *count)
{
	struct vg_patch_writer *writer = vg_patch_writer_new();
	const uint8_t code[] = {0xb8, 1, 0, 0, 0, 0xc3}; /* mov $1, %eax; ret */

	ck_assert_ptr_nonnull(writer);
	struct vgp_info info = {
		.name = vg_patch_writer_string(writer, "tiny"),
		.cve = vg_patch_writer_string(writer, "CVE-2000-0001"),
		.producer = vg_patch_writer_string(writer, "the CLI test"),
	};
	struct vgp_module module = {
		.name = vg_patch_writer_string(writer, "target"),
		.flags = VGP_MODULE_EXECUTABLE,
		.build_id_bytes = 20,
		.build_id = {1, 2, 3},
	};
	struct vgp_segment text = {
		.kind = VGP_TEXT,
		.align = 16,
		.memory_bytes = sizeof(code),
		.content_offset = vg_patch_writer_contents(writer, code, sizeof(code)),
		.content_bytes = sizeof(code),
	};
	struct vgp_function function = {
		.name = vg_patch_writer_string(writer, "one"),
		.file = vg_patch_writer_string(writer, "one.c"),
		.symbol = vg_patch_writer_string(writer, "one"),
		.kind = VGP_NEW,
		.new_bytes = sizeof(code),
	};
	vg_patch_writer_add(writer, VGP_INFO, &info, 1);
	vg_patch_writer_add(writer, VGP_MODULES, &module, 1);
	vg_patch_writer_add(writer, VGP_SEGMENTS, &text, 1);
	vg_patch_writer_add(writer, VGP_FUNCTIONS, &function, 1);
	struct vg_error *error = vg_patch_writer_finish(writer, 0, bytes, count);
	ck_assert_msg(!error, "%s", vg_error_text(error));
	vg_patch_writer_free(writer);
}

START_TEST(a_wrong_command_line_is_exit_2_with_a_sentence)
{
	static const char *const lines[] = {
		"",
		"frobnicate",
		"--frobnicate",
		"Build",
		"build",
		"build --source . --diff",
		"build --source . --target t --name n -o o",
		"build --diff d --target t --name n -o o",
		"build --source . --diff d --name n -o o",
		"build --source . --diff d --target t -o o",
		"build --source . --diff d --target t --name n",
		"build --source . --diff d --target t --name -n -o o",
		"build --source . --diff d --target t --name .n -o o",
		"build --source . --diff d --target t --name a/b -o o",
		"build --source . --diff d --target t --name '' -o o",
		"build --source . --diff d,,e --target t --name n -o o",
		"build --source . --diff d --target t --name n -o o --cve ,",
		"build --source . --diff d --target t --name n -o o --allow layuot",
		"build --source . --diff d --target t --name n -o o --allow data,",
		"build --source . --diff d --target t --name n -o o --depends a/b",
		"build --source . --diff d --target t --name n -o o --depends ''",
		"build --source . --diff d --target t --name n -o o --allow layout,",
		"build --source . --diff d --target t --name n -o o --frobnicate",
		"build --source . --diff d --target t --name n -o o stray",
		"inspect",
		"inspect a b",
		"inspect -x a",
		"check",
		"check tiny.vgp",
		"check --pid 1",
		"check tiny.vgp --pid 1 --all",
		"apply",
		"apply tiny.vgp",
		"apply --pid 1",
		"apply --all",
		"apply tiny.vgp tiny.vgp --all",
		"apply tiny.vgp --pid",
		"apply tiny.vgp --pid ''",
		"apply tiny.vgp --pid 0",
		"apply tiny.vgp --pid -5",
		"apply tiny.vgp --pid 12x",
		"apply tiny.vgp --pid 0x10",
		"apply tiny.vgp --pid 1,,2",
		"apply tiny.vgp --pid 1,",
		"apply tiny.vgp --pid 99999999999999999999",
		"apply tiny.vgp --all --timeout",
		"apply tiny.vgp --all --timeout ''",
		"apply tiny.vgp --all --timeout soon",
		"apply tiny.vgp --all --timeout -1",
		"apply tiny.vgp --all --timeout 1s",
		"apply tiny.vgp --all --timeout nan",
		"apply tiny.vgp --all --timeout inf",
		"apply tiny.vgp --all --timeout 1e999",
		"apply tiny.vgp --all --frobnicate",
		"revert",
		"revert tiny",
		"revert --all",
		"revert tiny other --all",
		"revert tiny --pid 1 --all",
		"revert ./tiny.vgp --pid 1",
		"revert tiny --all --timeout later",
		"status stray",
		"status --pid x",
		"status --pid ,",
		"status --pid",
		"status --frobnicate",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect_usage_error(lines[i]);
}
END_TEST

START_TEST(a_missing_or_unreadable_file_is_exit_2_and_named)
{
	static const struct {
		const char *line, *name;
	} cases[] = {
		{"inspect missing.vgp", "missing.vgp"},
		{"inspect .", "'.'\n."},
		{"check missing.vgp --pid 1", "missing.vgp"},
		{"apply missing.vgp --pid 1", "missing.vgp"},
		{"apply missing.vgp --all", "missing.vgp"},
		{"build --source . --diff missing.diff --target elf --name n -o o.vgp",
		 "missing.diff"},
		{"build --source . --diff empty.diff --target missing --name n -o o.vgp",
		 "missing"},
		{"build --source missing --diff some.diff --target elf --name n -o o.vgp",
		 "missing"},
		{"build --source . --diff some.diff --target elf --compdb missing.json --name n "
		 "-o o.vgp",
		 "missing.json"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(answer_clear) struct answer answer = run(cases[i].line);

		ck_assert_msg(answer.code == VG_USAGE, "vgraft %s: expected 2, got %d (%s)",
			      cases[i].line, answer.code, answer.err);
		ck_assert_msg(strpbrk(cases[i].name, "'") || strstr(answer.err, cases[i].name),
			      "vgraft %s: the file is not named: %s", cases[i].line, answer.err);
		ck_assert_uint_eq(count_lines(answer.err), 1);
	}
}
END_TEST

START_TEST(help_is_exit_0_on_stdout_for_every_verb)
{
	static const char *const lines[] = {
		"--help",	"help",		 "build --help",  "inspect --help", "check --help",
		"apply --help", "revert --help", "status --help", "--version",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_(answer_clear) struct answer answer = run(lines[i]);

		ck_assert_msg(answer.code == VG_DONE, "vgraft %s: got %d", lines[i], answer.code);
		ck_assert_msg(strstr(answer.out, "vgraft"), "vgraft %s: no help", lines[i]);
		ck_assert_str_eq(answer.err, "");
	}
}
END_TEST

START_TEST(the_help_names_every_option_that_the_verb_takes)
{
	static const struct {
		const char *verb, *options[16];
	} verbs[] = {
		{"build --help",
		 {"--source", "--diff", "--target", "--symbols", "--compdb", "--name", "--cve",
		  "--depends", "--replace", "--hooks", "--allow", "--keep-temp", "--explain",
		  "--json", "-o"}},
		{"inspect --help", {"-d", "--json"}},
		{"check --help", {"--pid", "--all", "--timeout", "--strict", "--json"}},
		{"apply --help",
		 {"--pid", "--all", "--timeout", "--strict", "--suspend-seccomp", "--json"}},
		{"revert --help", {"--pid", "--all", "--timeout", "--json"}},
		{"status --help", {"--pid", "--json"}},
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		_cleanup_(answer_clear) struct answer answer = run(verbs[i].verb);

		for (size_t k = 0; verbs[i].options[k]; k++)
			ck_assert_msg(strstr(answer.out, verbs[i].options[k]),
				      "vgraft %s does not name %s", verbs[i].verb,
				      verbs[i].options[k]);
	}
}
END_TEST

START_TEST(inspect_prints_one_json_object_on_one_line)
{
	_cleanup_(answer_clear) struct answer answer = run("inspect --json tiny.vgp");
	json_t *object;

	ck_assert_msg(answer.code == VG_DONE, "%s", answer.err);
	ck_assert_uint_eq(count_lines(answer.out), 1);
	object = json_loads(answer.out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_str_eq(json_string_value(json_object_get(object, "patch")), "tiny");
	ck_assert_str_eq(json_string_value(json_object_get(object, "cve")), "CVE-2000-0001");
	json_t *function = json_array_get(json_object_get(object, "functions"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(function, "name")), "one");
	ck_assert_str_eq(json_string_value(json_object_get(function, "file")), "one.c");
	ck_assert_str_eq(json_string_value(json_object_get(function, "kind")), "new");
	ck_assert_int_eq(json_integer_value(json_object_get(function, "size")), 6);
	ck_assert(json_is_array(json_object_get(function, "parts")));
	ck_assert(json_is_array(json_object_get(object, "hooks")));
	ck_assert(json_is_null(json_object_get(object, "shadows")));
	json_decref(object);
}
END_TEST

START_TEST(inspect_for_people_shows_functions_and_on_demand_instructions)
{
	_cleanup_(answer_clear) struct answer plain = run("inspect tiny.vgp");
	_cleanup_(answer_clear) struct answer code = run("inspect -d tiny.vgp");

	ck_assert_int_eq(plain.code, VG_DONE);
	ck_assert_ptr_nonnull(strstr(plain.out, "one.c"));
	ck_assert_ptr_null(strstr(plain.out, "ret"));
	ck_assert_int_eq(code.code, VG_DONE);
	ck_assert_ptr_nonnull(strstr(code.out, "ret"));
}
END_TEST

/* What every verb that reads an object must make of a damaged one. */
static void expect_damage(const char *line, size_t where)
{
	_cleanup_(answer_clear) struct answer answer = run(line);

	ck_assert_msg(answer.code == VG_REFUSED, "byte %zu, vgraft %s: expected 3, got %d (%s)",
		      where, line, answer.code, answer.err);
	ck_assert_msg(count_lines(answer.err) == 1 && strstr(answer.err, "damaged.vgp"),
		      "byte %zu, vgraft %s: not one sentence that names the file: '%s'", where,
		      line, answer.err);
	/* with --json the refusal is an object as well; else stdout stays empty */
	if (!strstr(line, "--json")) {
		ck_assert_str_eq(answer.out, "");
		return;
	}
	json_t *object = json_loads(answer.out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(object && count_lines(answer.out) == 1, "vgraft %s: %s", line, answer.out);
	ck_assert_str_eq(json_string_value(json_object_get(object, "result")), "refused");
	ck_assert_ptr_nonnull(json_string_value(json_object_get(object, "reason")));
	json_decref(object);
}

START_TEST(a_truncated_object_is_refused_with_one_sentence)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	make_object(&bytes, &count);
	for (size_t length = 0; length < count; length++) {
		write_file("damaged.vgp", bytes, length);
		expect_damage("inspect damaged.vgp", length);
	}
}
END_TEST

START_TEST(an_object_with_bytes_behind_its_end_is_refused)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	make_object(&bytes, &count);
	uint8_t *longer = realloc(bytes, count + 8);
	ck_assert_ptr_nonnull(longer);
	bytes = longer;
	memset(bytes + count, 0, 8);
	write_file("damaged.vgp", bytes, count + 1);
	expect_damage("inspect damaged.vgp", count);
	write_file("damaged.vgp", bytes, count + 8);
	expect_damage("inspect --json damaged.vgp", count);
}
END_TEST

START_TEST(one_flipped_bit_anywhere_is_refused)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	make_object(&bytes, &count);
	for (size_t i = 0; i < count; i++) {
		uint8_t flip = (uint8_t)(1u << i % 8);

		bytes[i] ^= flip;
		write_file("damaged.vgp", bytes, count);
		expect_damage("inspect damaged.vgp", i);
		bytes[i] ^= flip;
	}
}
END_TEST

START_TEST(a_damaged_object_is_refused_by_every_verb_before_any_process_is_looked_at)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	make_object(&bytes, &count);
	bytes[count / 2] ^= 0x40;
	write_file("damaged.vgp", bytes, count);
	expect_damage("inspect -d damaged.vgp", count / 2);
	expect_damage("check damaged.vgp --pid 999999999", count / 2);
	expect_damage("apply damaged.vgp --pid 999999999", count / 2);
	expect_damage("apply damaged.vgp --all", count / 2);
	expect_damage("check --json damaged.vgp --pid 999999999", count / 2);
	expect_damage("apply --json damaged.vgp --all", count / 2);
}
END_TEST

START_TEST(a_patch_that_fits_no_process_is_done_with_a_note)
{
	static const char *const lines[] = {
		"apply tiny.vgp --all",
		"check tiny.vgp --all",
		"apply --json tiny.vgp --all",
		"revert no-such-patch-is-applied --all",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_(answer_clear) struct answer answer = run(lines[i]);

		ck_assert_msg(answer.code == VG_DONE, "vgraft %s: got %d (%s)", lines[i],
			      answer.code, answer.err);
		ck_assert_str_eq(answer.out, "");
		ck_assert_uint_eq(count_lines(answer.err), 1);
	}
}
END_TEST

/* A line of JSON for each process, also for those that are not there. */
START_TEST(each_process_gets_its_own_line_of_json)
{
	_cleanup_(answer_clear) struct answer answer =
		run("apply --json tiny.vgp --pid 999999998,999999999");
	char *rest = answer.out;
	size_t count = 0;

	ck_assert_msg(answer.code == VG_PARTIAL, "got %d (%s)", answer.code, answer.err);
	for (char *line; (line = strsep(&rest, "\n")) && *line; count++) {
		json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		ck_assert_ptr_nonnull(object);
		ck_assert_int_eq(json_integer_value(json_object_get(object, "pid")),
				 999999998 + (json_int_t)count);
		ck_assert(json_is_string(json_object_get(object, "result")));
		ck_assert(json_is_string(json_object_get(object, "reason")));
		json_decref(object);
	}
	ck_assert_uint_eq(count, 2);
}
END_TEST

START_TEST(a_failed_build_prints_one_json_object_and_writes_no_file)
{
	_cleanup_(answer_clear) struct answer answer =
		run("build --json --source . --diff missing.diff --target elf --name n -o o.vgp");
	json_t *object = json_loads(answer.out, JSON_REJECT_DUPLICATES, NULL);
	_cleanup_free_ char *path = NULL;

	ck_assert_int_eq(answer.code, VG_USAGE);
	ck_assert_uint_eq(count_lines(answer.out), 1);
	ck_assert_ptr_nonnull(object);
	ck_assert_str_eq(json_string_value(json_object_get(object, "result")), "failed");
	ck_assert(json_is_null(json_object_get(object, "file")));
	ck_assert_uint_eq(json_array_size(json_object_get(object, "reasons")), 1);
	json_decref(object);
	ck_assert_int_gt(asprintf(&path, "%s/o.vgp", directory), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* The build folder is two levels above this program. */
static char *find_command(void)
{
	const char *named = getenv("VGRAFT");
	char program[4096], *path;
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (named)
		return realpath(named, NULL);
	program[length < 0 ? 0 : length] = '\0';
	for (int i = 0; i < 3; i++)
		if (strrchr(program, '/'))
			*strrchr(program, '/') = '\0';
	return asprintf(&path, "%s/vgraft", program) < 0 ? NULL : path;
}

static void make_files(void)
{
	static const char diff[] = "--- a/one.c\n+++ b/one.c\n@@ -1 +1 @@\n-int a;\n+int b;\n";
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	make_object(&bytes, &count);
	write_file("tiny.vgp", bytes, count);
	write_file("empty", "", 0);
	write_file("empty.diff", "", 0);
	write_file("some.diff", diff, sizeof(diff) - 1);
	write_file("one.c", "int a;\n", 7);
	ck_assert_int_eq(chdir(directory), 0);
	ck_assert_int_eq(symlink(command, "elf"), 0);
}

static void remove_files(void)
{
	static const char *const names[] = {"tiny.vgp", "empty",       "empty.diff", "some.diff",
					    "one.c",	"damaged.vgp", "elf"};

	if (chdir(directory) != 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	rmdir(directory);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cli");
	TCase *tcase = tcase_create("cli");

	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, make_files, remove_files);
	tcase_add_test(tcase, a_wrong_command_line_is_exit_2_with_a_sentence);
	tcase_add_test(tcase, a_missing_or_unreadable_file_is_exit_2_and_named);
	tcase_add_test(tcase, help_is_exit_0_on_stdout_for_every_verb);
	tcase_add_test(tcase, the_help_names_every_option_that_the_verb_takes);
	tcase_add_test(tcase, inspect_prints_one_json_object_on_one_line);
	tcase_add_test(tcase, inspect_for_people_shows_functions_and_on_demand_instructions);
	tcase_add_test(tcase, a_truncated_object_is_refused_with_one_sentence);
	tcase_add_test(tcase, an_object_with_bytes_behind_its_end_is_refused);
	tcase_add_test(tcase, one_flipped_bit_anywhere_is_refused);
	tcase_add_test(tcase,
		       a_damaged_object_is_refused_by_every_verb_before_any_process_is_looked_at);
	tcase_add_test(tcase, a_patch_that_fits_no_process_is_done_with_a_note);
	tcase_add_test(tcase, each_process_gets_its_own_line_of_json);
	tcase_add_test(tcase, a_failed_build_prints_one_json_object_and_writes_no_file);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	command = find_command();
	if (!command || access(command, X_OK) != 0) {
		fprintf(stderr, "cli: there is no %s\n", command ? command : getenv("VGRAFT"));
		return 1;
	}
	if (!mkdtemp(directory)) {
		fprintf(stderr, "cli: cannot make %s: %s\n", directory, strerror(errno));
		return 1;
	}
	int code = vg_suite_run(make_suite());

	free(command);
	return code;
}
