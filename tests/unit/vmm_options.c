/* SPDX-License-Identifier: MIT */
/* Sizes, numbers and the command line of `vgraft-vmm run`. */
#include "tests/lib/suite.h"

#define FIVE_DISKS     "--disk 1 --disk 2 --disk 3 --disk 4 --disk 5"
#define TOO_MANY_DISKS FIVE_DISKS " " FIVE_DISKS " --disk 11"
#include "vmm/options.h"
#include "vmm/size.h"

#include <string.h>

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

struct size_case {
	const char *text;
	uint64_t bytes;
};

static const struct size_case sizes[] = {
	{"1", UINT64_C(1) << 20},    {"256", UINT64_C(256) << 20}, {"4096K", UINT64_C(4) << 20},
	{"64k", UINT64_C(64) << 10}, {"2M", UINT64_C(2) << 20},	   {"3m", UINT64_C(3) << 20},
	{"1G", UINT64_C(1) << 30},   {"7g", UINT64_C(7) << 30},	   {"007", UINT64_C(7) << 20},
};

START_TEST(a_size_is_mib_unless_it_says_otherwise)
{
	uint64_t bytes = 0;

	ck_assert(size_parse(sizes[_i].text, &bytes));
	ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

static const char *const bad_sizes[] = {
	"",
	"K",
	"M",
	"0",
	"0G",
	"-1",
	"+1",
	" 1",
	"1 ",
	"1T",
	"1KB",
	"1Gi",
	"0x1",
	"1.5G",
	"1,5",
	"1e3M",
	"lots",
	"2MM",
	"18446744073709551616",
	"17592186044416",
	"18014398509481984K",
	"99999999999999999999999G",
};

START_TEST(what_is_no_size_is_refused)
{
	uint64_t bytes;

	ck_assert(!size_parse(bad_sizes[_i], &bytes));
}
END_TEST

START_TEST(a_number_stays_in_its_range)
{
	uint64_t value;

	ck_assert(number_parse("1", 1, 8, &value) && value == 1);
	ck_assert(number_parse("8", 1, 8, &value) && value == 8);
	ck_assert(!number_parse("0", 1, 8, &value));
	ck_assert(!number_parse("9", 1, 8, &value));
	ck_assert(!number_parse("2x", 1, 8, &value));
	ck_assert(!number_parse("", 1, 8, &value));
	ck_assert(!number_parse("18446744073709551617", 1, 8, &value));
}
END_TEST

#define WORDS_MAX 30

/* Splits `line` at blanks and parses it as what follows `vgraft-vmm`. */
static struct vmm_error *parse(struct options *options, char *line)
{
	char *words[WORDS_MAX] = {"run"};
	int count = 1;

	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	return options_parse(options, count, words);
}

START_TEST(a_full_command_line_is_understood)
{
	char line[] =
		"--kernel vmlinux --initrd rd --memory 1G --cpus 4 --disk a.img --disk "
		"b,c.img,readonly=on --disk d,readonly=off --memory-file ram --boot pvh --json";
	struct options options;

	ck_assert_ptr_null(parse(&options, line));
	ck_assert_str_eq(options.kernel, "vmlinux");
	ck_assert_str_eq(options.initrd, "rd");
	ck_assert_str_eq(options.memory_file, "ram");
	ck_assert_uint_eq(options.memory, UINT64_C(1) << 30);
	ck_assert_uint_eq(options.cpus, 4);
	ck_assert_int_eq(options.boot, BOOT_PVH);
	ck_assert(options.json);
	ck_assert_uint_eq(options.disk_count, 3);
	ck_assert_str_eq(options.disks[0].path, "a.img");
	ck_assert(!options.disks[0].readonly);
	ck_assert_str_eq(options.disks[1].path, "b,c.img");
	ck_assert(options.disks[1].readonly);
	ck_assert(!options.disks[2].readonly);
	options_free(&options);
}
END_TEST

static const char *const bad_lines[] = {
	"",
	"--kernel",
	"--kernel a --kernel b",
	"--kernel a stray",
	"--kernel a --nonsense",
	"--kernel a --cpus 0",
	"--kernel a --cpus 255",
	"--kernel a --cpus -1",
	"--kernel a --cpus two",
	"--kernel a --memory 0",
	"--kernel a --memory many",
	"--kernel a --disk ,readonly=on",
	"--kernel a --disk d,readonly=perhaps",
	"--kernel a --boot multiboot",
	TOO_MANY_DISKS " --kernel a",
};

START_TEST(a_wrong_command_line_is_refused_with_a_sentence)
{
	struct options options;
	char line[256];
	struct vmm_error *error;

	strcpy(line, bad_lines[_i]);
	error = parse(&options, line);
	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	ck_assert_uint_gt(strlen(vmm_error_text(error)), 10);
	vmm_error_free(error);
	options_free(&options);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm options");
	TCase *tcase = tcase_create("command line");

	tcase_add_loop_test(tcase, a_size_is_mib_unless_it_says_otherwise, 0, COUNT(sizes));
	tcase_add_loop_test(tcase, what_is_no_size_is_refused, 0, COUNT(bad_sizes));
	tcase_add_test(tcase, a_number_stays_in_its_range);
	tcase_add_test(tcase, a_full_command_line_is_understood);
	tcase_add_loop_test(tcase, a_wrong_command_line_is_refused_with_a_sentence, 0,
			    COUNT(bad_lines));
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
