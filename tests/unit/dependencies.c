/* SPDX-License-Identifier: MIT */
/* Dependency information: make rules of compilers, ninja's log against damage. */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/dependencies.h"
#include "tests/lib/suite.h"

static void assert_rule(const char *text, const char *wanted)
{
	struct vg_words words = {0};
	char got[1000] = "";

	vg_make_rule_parse(text, &words);
	for (size_t i = 0; i < words.count; i++)
		strcat(strcat(got, words.items[i]), "|");
	ck_assert_str_eq(got, wanted);
	vg_words_clear(&words);
}

START_TEST(a_rule_is_read_with_makes_escapes)
{
	assert_rule("a.o: a.c b.h \\\n c.h\n\nb.h:\n\nc.h:\n", "a.c|b.h|c.h|");
	assert_rule("a.o: a\\ b.c x\\#y.h z$$.h q\\x.h\n", "a b.c|x#y.h|z$.h|q\\x.h|");
	assert_rule("c:/a.o a.d: a.c \\\r\n b.h\r\n", "a.c|b.h|");
	assert_rule("a.o:\\\n a.c", "a.c|");
	assert_rule("no rule at all", "");
	assert_rule("", "");
}
END_TEST

struct bytes {
	uint8_t data[1024];
	size_t size;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void put_word(struct bytes *bytes, uint32_t word)
{
	put(bytes, &word, sizeof(word));
}

static void put_path(struct bytes *bytes, const char *path, uint32_t index)
{
	char padded[64] = "";
	size_t size = (strlen(path) + 3) / 4 * 4;

	strcpy(padded, path);
	put_word(bytes, size + 4);
	put(bytes, padded, size);
	put_word(bytes, ~index);
}

static void put_log(struct bytes *bytes)
{
	put(bytes, "# ninjadeps\n", 12);
	put_word(bytes, 4);
	put_path(bytes, "x.o", 0);
	put_path(bytes, "x.c", 1);
	put_path(bytes, "header.h", 2);
	put_word(bytes, 0x80000000u | 20);
	put_word(bytes, 0);
	put_word(bytes, 7);
	put_word(bytes, 1);
	put_word(bytes, 1);
	put_word(bytes, 2);
}

START_TEST(ninjas_log_gives_the_inputs_of_an_output)
{
	struct bytes bytes = {0};
	struct vg_ninja_log log;

	put_log(&bytes);
	ck_assert_ptr_null(vg_ninja_log_parse(bytes.data, bytes.size, &log));

	const struct vg_ninja_record *record = vg_ninja_log_find(&log, "x.o");

	ck_assert_ptr_nonnull(record);
	ck_assert_uint_eq(record->mtime, (1ull << 32) + 7);
	ck_assert_uint_eq(record->input_count, 2);
	ck_assert_str_eq(log.paths.items[record->inputs[1]], "header.h");
	ck_assert_ptr_null(vg_ninja_log_find(&log, "x.c"));
	vg_ninja_log_clear(&log);
}
END_TEST

START_TEST(a_damaged_log_never_reads_out_of_its_bounds)
{
	struct bytes whole = {0};

	put_log(&whole);
	for (size_t size = 0; size <= whole.size; size++) {
		uint8_t *copy = malloc(size + 1); /* exact, for the sanitizer */
		struct vg_ninja_log log;

		memcpy(copy, whole.data, size);
		ck_assert_ptr_null(vg_ninja_log_parse(copy, size, &log));
		vg_ninja_log_clear(&log);
		for (size_t at = 0; at < size; at++) {
			copy[at] ^= 0xff;
			ck_assert_ptr_null(vg_ninja_log_parse(copy, size, &log));
			vg_ninja_log_find(&log, "x.o");
			vg_ninja_log_clear(&log);
			copy[at] ^= 0xff;
		}
		free(copy);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dependencies");
	TCase *tcase = tcase_create("dependencies");

	tcase_add_test(tcase, a_rule_is_read_with_makes_escapes);
	tcase_add_test(tcase, ninjas_log_gives_the_inputs_of_an_output);
	tcase_add_test(tcase, a_damaged_log_never_reads_out_of_its_bounds);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
