// SPDX-License-Identifier: MIT
/* The reader of call frame information, on tables written here byte by byte. */
#include <stdlib.h>
#include <string.h>

#include "patcher/cfi.h"
#include "tests/lib/suite.h"

#define CODE  UINT64_C(0x400000) /* the function that the tables describe, 0x100 bytes */
#define TABLE UINT64_C(0x500000) /* where the bytes lie */

struct image {
	uint8_t bytes[4096];
	size_t count;
};

static struct cfi_entry entry;

static bool read_image(void *context, uint64_t address, void *buffer, size_t count)
{
	const struct image *image = context;

	if (address < TABLE || address - TABLE > image->count ||
	    count > image->count - (address - TABLE))
		return false;
	memcpy(buffer, image->bytes + (address - TABLE), count);
	return true;
}

static struct cfi_table table_of(struct image *image)
{
	return (struct cfi_table){
		.eh_frame = TABLE,
		.eh_frame_end = TABLE + image->count,
		.read = read_image,
		.context = image,
	};
}

static void put(struct image *image, const void *bytes, size_t count)
{
	memcpy(image->bytes + image->count, bytes, count);
	image->count += count;
}

static void put_number(struct image *image, uint64_t value, size_t bytes)
{
	put(image, &value, bytes);
}

/* Opens a record; end_record() fills in its length. */
static size_t begin_record(struct image *image)
{
	put_number(image, 0, 4);
	return image->count;
}

static void end_record(struct image *image, size_t start)
{
	while (image->count % 8 != 4)
		put_number(image, 0, 1);

	uint32_t length = (uint32_t)(image->count - start);
	memcpy(image->bytes + start - 4, &length, 4);
}

/* A CIE as gcc makes it: CFA = rsp + 8, return address at CFA - 8, pc-relative 4-byte pointers. */
static void put_cie(struct image *image, const char *augmentation)
{
	static const uint8_t program[] = {0x0c, 7, 8, 0x90, 1};
	size_t start = begin_record(image);

	put_number(image, 0, 4);
	put_number(image, 1, 1);
	put(image, augmentation, strlen(augmentation) + 1);
	put_number(image, 1, 1);    /* code alignment */
	put_number(image, 0x78, 1); /* data alignment -8 */
	put_number(image, 16, 1);
	if (augmentation[0] == 'z') {
		put_number(image, 1, 1);
		put_number(image, 0x1b, 1);
	}
	put(image, program, sizeof(program));
	end_record(image, start);
}

static void put_fde(struct image *image, uint64_t code, uint32_t bytes, const void *program,
		    size_t count)
{
	size_t start = begin_record(image);

	put_number(image, start, 4); /* the CIE is the first record */
	put_number(image, code - (TABLE + image->count), 4);
	put_number(image, bytes, 4);
	put_number(image, 0, 1); /* no augmentation data */
	put(image, program, count);
	end_record(image, start);
}

#define FDE(image, ...)                                                                            \
	do {                                                                                       \
		static const uint8_t program_[] = {__VA_ARGS__};                                   \
		put_fde(image, CODE, 0x100, program_, sizeof(program_));                           \
	} while (0)

static struct image with_cie(const char *augmentation)
{
	struct image image = {.count = 0};

	put_cie(&image, augmentation);
	return image;
}

static enum cfi_result row_at(struct image *image, uint64_t offset, struct cfi_row *row)
{
	struct cfi_table table = table_of(image);
	enum cfi_result result = cfi_find(&table, CODE + offset, &entry);

	return result == CFI_OK ? cfi_row_at(&entry, CODE + offset, row) : result;
}

START_TEST(each_address_has_the_row_that_holds_there)
{
	struct image image = with_cie("zR");
	struct cfi_row row;

	/* push rbp at 0, mov rsp,rbp at 1, leave at 0x40 */
	FDE(&image, 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x3d, 0x0c, 7, 8, 0xc6);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_OK);
	ck_assert_int_eq(row.cfa.value, CFI_RSP);
	ck_assert_int_eq(row.offset, 8);
	ck_assert_int_eq(row.rules[CFI_RIP].kind, CFI_AT_CFA);
	ck_assert_int_eq(row.rules[CFI_RIP].value, -8);
	ck_assert_int_eq(row.rules[CFI_RBP].kind, CFI_UNSPECIFIED);
	ck_assert_int_eq(row_at(&image, 1, &row), CFI_OK);
	ck_assert_int_eq(row.offset, 16);
	ck_assert_int_eq(row.rules[CFI_RBP].value, -16);
	ck_assert_int_eq(row_at(&image, 0x40, &row), CFI_OK);
	ck_assert_int_eq(row.cfa.value, CFI_RBP);
	ck_assert_int_eq(row_at(&image, 0x41, &row), CFI_OK);
	ck_assert_int_eq(row.cfa.value, CFI_RSP);
	ck_assert_int_eq(row.rules[CFI_RBP].kind, CFI_UNSPECIFIED);
}
END_TEST

START_TEST(only_the_described_code_is_found)
{
	struct image image = with_cie("zR");
	struct cfi_table table;

	FDE(&image, 0);
	table = table_of(&image);
	ck_assert_int_eq(cfi_find(&table, CODE - 1, &entry), CFI_MISSING);
	ck_assert_int_eq(cfi_find(&table, CODE, &entry), CFI_OK);
	ck_assert_uint_eq(entry.start, CODE);
	ck_assert_uint_eq(entry.end, CODE + 0x100);
	ck_assert_int_eq(cfi_find(&table, CODE + 0x100, &entry), CFI_MISSING);
}
END_TEST

START_TEST(remembered_states_come_back)
{
	struct image image = with_cie("zR");
	struct cfi_row row;

	FDE(&image, 0x0e, 32, 0x0a, 0x41, 0x0e, 8, 0x41, 0x0b);
	ck_assert_int_eq(row_at(&image, 1, &row), CFI_OK);
	ck_assert_int_eq(row.offset, 8);
	ck_assert_int_eq(row_at(&image, 2, &row), CFI_OK);
	ck_assert_int_eq(row.offset, 32);
}
END_TEST

START_TEST(restoring_more_than_was_remembered_is_broken)
{
	struct image image = with_cie("zR");
	struct cfi_row row;

	FDE(&image, 0x0b);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN);
	image = with_cie("zR");
	FDE(&image, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN);
}
END_TEST

START_TEST(all_kinds_of_rules_are_read)
{
	struct image image = with_cie("zR");
	struct cfi_row row;

	FDE(&image, 0x07, 16, 0x08, 3, 0x09, 12, 13, 0x14, 14, 2, 0x15, 15, 0x7f, 0x05, 6, 3, 0x11,
	    8, 0x7e, 0x10, 9, 2, 0x77, 8, 0x16, 10, 2, 0x77, 16, 0x2e, 16, 0x83, 1, 0x06, 3, 0x05,
	    20, 1);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_OK);
	ck_assert_int_eq(row.rules[CFI_RIP].kind, CFI_UNDEFINED);
	ck_assert_int_eq(row.rules[CFI_RBX].kind, CFI_UNSPECIFIED); /* restored */
	ck_assert_int_eq(row.rules[CFI_R12].kind, CFI_REGISTER);
	ck_assert_int_eq(row.rules[CFI_R12].value, CFI_R13);
	ck_assert_int_eq(row.rules[CFI_R14].kind, CFI_IS_CFA);
	ck_assert_int_eq(row.rules[CFI_R14].value, -16);
	ck_assert_int_eq(row.rules[CFI_R15].value, 8);
	ck_assert_int_eq(row.rules[CFI_RBP].value, -24);
	ck_assert_int_eq(row.rules[CFI_R8].value, 16);
	ck_assert_int_eq(row.rules[CFI_R9].kind, CFI_AT_EXPRESSION);
	ck_assert_uint_eq(row.rules[CFI_R9].expression.count, 2);
	ck_assert_int_eq(row.rules[CFI_R10].kind, CFI_IS_EXPRESSION);
}
END_TEST

START_TEST(a_signal_frame_says_so)
{
	struct image image = with_cie("zRS");

	FDE(&image, 0);

	struct cfi_table table = table_of(&image);
	ck_assert_int_eq(cfi_find(&table, CODE, &entry), CFI_OK);
	ck_assert(entry.signal_frame);
}
END_TEST

START_TEST(what_is_not_understood_is_broken_and_not_skipped)
{
	struct cfi_row row;
	struct image image = with_cie("zX");

	FDE(&image, 0);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN); /* augmentation */
	image = with_cie("zR");
	FDE(&image, 0x3f);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN); /* instruction */
	image = with_cie("zR");
	FDE(&image, 0x0c, 40, 8);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN); /* CFA by a vector register */
	image = with_cie("zR");
	image.bytes[8] = 4;
	FDE(&image, 0);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN); /* version */
}
END_TEST

START_TEST(lengths_that_reach_out_of_the_table_are_broken)
{
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xf0, 0xff, 0xff, 0xff,
				       0xff, 0xff, 0xff, 0xff, 0,    0,	   0,	 0};
	struct image image = {.count = 0};
	struct cfi_row row;

	put(&image, huge, sizeof(huge));
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN);
	image.count = 0;
	put_number(&image, 0x7fffffff, 4);
	put_number(&image, 0, 8);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN);
	/* An FDE whose CIE would lie before the table. */
	image = with_cie("zR");
	FDE(&image, 0);
	image.bytes[image.count - 4] = 0;
	memset(image.bytes + 4 + *(uint32_t *)image.bytes + 4, 0x7f, 4);
	ck_assert_int_eq(row_at(&image, 0, &row), CFI_BROKEN);
}
END_TEST

START_TEST(a_table_cut_off_anywhere_never_gives_a_row)
{
	struct image whole = with_cie("zR");
	struct cfi_row row;

	FDE(&whole, 0x41, 0x0e, 16, 0x86, 2);
	for (size_t count = 0; count < whole.count; count++) {
		struct image cut = whole;

		cut.count = count;
		ck_assert_int_ne(row_at(&cut, 0, &row), CFI_OK);
	}
}
END_TEST

START_TEST(damage_in_any_byte_is_survived)
{
	struct image whole = with_cie("zRS");
	struct cfi_row row;

	FDE(&whole, 0x41, 0x0e, 16, 0x86, 2, 0x0f, 3, 0x77, 8, 0x06, 0x0a, 0x0b, 0x05, 20, 1);
	for (size_t at = 0; at < whole.count; at++) {
		for (unsigned value = 0; value < 256; value++) {
			struct image damaged = whole;

			damaged.bytes[at] = (uint8_t)value;
			row_at(&damaged, 0x20, &row);
		}
	}
}
END_TEST

/* A table with an index for three functions. */
static struct cfi_table indexed(struct image *image)
{
	struct cfi_table table;
	uint64_t records[3], index;

	*image = with_cie("zR");
	for (unsigned i = 0; i < 3; i++) {
		records[i] = TABLE + image->count;
		put_fde(image, CODE + UINT64_C(0x1000) * i, 0x100, "", 0);
	}
	table = table_of(image);
	index = TABLE + image->count;
	put(image, "\x01\x1b\x03\x3b", 4);
	put_number(image, TABLE - (index + 4), 4);
	put_number(image, 3, 4);
	for (unsigned i = 0; i < 3; i++) {
		put_number(image, CODE + UINT64_C(0x1000) * i - index, 4);
		put_number(image, records[i] - index, 4);
	}
	table.index = index;
	table.index_end = TABLE + image->count;
	return table;
}

START_TEST(the_index_finds_what_walking_finds)
{
	struct image image;
	struct cfi_table table = indexed(&image);

	for (unsigned i = 0; i < 3; i++) {
		uint64_t start = CODE + UINT64_C(0x1000) * i;

		ck_assert_int_eq(cfi_find(&table, start + 0xff, &entry), CFI_OK);
		ck_assert_uint_eq(entry.start, start);
		ck_assert_int_eq(cfi_find(&table, start + 0x100, &entry), CFI_MISSING);
	}
	ck_assert_int_eq(cfi_find(&table, CODE - 1, &entry), CFI_MISSING);
}
END_TEST

START_TEST(an_index_made_from_the_records_finds_the_same)
{
	struct image image;
	struct cfi_table table = indexed(&image);
	struct cfi_pair *pairs;

	/* The records end where the index begins. */
	table.eh_frame_end = table.index;
	table.index = 0;
	pairs = cfi_make_pairs(&table, &table.pair_count);
	ck_assert_ptr_nonnull(pairs);
	ck_assert_uint_eq(table.pair_count, 3);
	table.pairs = pairs;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t start = CODE + UINT64_C(0x1000) * i;

		ck_assert_int_eq(cfi_find(&table, start, &entry), CFI_OK);
		ck_assert_uint_eq(entry.start, start);
		ck_assert_int_eq(cfi_find(&table, start + 0x100, &entry), CFI_MISSING);
	}
	ck_assert_int_eq(cfi_find(&table, CODE - 1, &entry), CFI_MISSING);
	free(pairs);
	image.bytes[0] = 0xff; /* the CIE's length */
	ck_assert_ptr_null(cfi_make_pairs(&table, &table.pair_count));
}
END_TEST

START_TEST(an_index_that_promises_too_much_is_not_used)
{
	struct image image;
	struct cfi_table table = indexed(&image);

	image.bytes[table.index - TABLE + 11] = 0x7f; /* the count's last byte */
	ck_assert_int_eq(cfi_find(&table, CODE + 0x1000, &entry), CFI_OK); /* by walking */
	ck_assert_uint_eq(entry.start, CODE + 0x1000);
}
END_TEST

static enum cfi_result evaluate(const uint8_t *bytes, size_t count, uint64_t *value)
{
	static struct image memory = {.bytes = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11},
				      .count = 8};
	struct cfi_slice slice = {bytes, count, 0};
	struct cfi_machine machine = {
		.known = 1u << CFI_RSP | 1u << CFI_RIP, .read = read_image, .context = &memory};

	machine.registers[CFI_RSP] = 0x7000;
	machine.registers[CFI_RIP] = 0x40100b;
	return cfi_evaluate(&slice, &machine, NULL, value);
}

#define EVALUATE(value, ...)                                                                       \
	evaluate((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), value)

START_TEST(the_expression_of_a_plt_is_computed)
{
	uint64_t value;

	/* rsp + 8 + ((rip & 15) >= 11) * 8: the push in a PLT entry is at offset 6 to 11 */
	ck_assert_int_eq(
		EVALUATE(&value, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22),
		CFI_OK);
	ck_assert_uint_eq(value, 0x7010);
}
END_TEST

START_TEST(an_expression_reads_memory_and_moves_its_stack)
{
	uint64_t value;

	ck_assert_int_eq(EVALUATE(&value, 0x03, 0, 0, 0x50, 0, 0, 0, 0, 0, 0x06), CFI_OK);
	ck_assert_uint_eq(value, UINT64_C(0x1122334455667788));
	ck_assert_int_eq(EVALUATE(&value, 0x03, 0, 0, 0x50, 0, 0, 0, 0, 0, 0x94, 2), CFI_OK);
	ck_assert_uint_eq(value, 0x7788);
	/* 1 2 3 rot: 3 1 2; swap: 3 2 1; minus: 3 1; minus: 2 */
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x32, 0x33, 0x17, 0x16, 0x1c, 0x1c), CFI_OK);
	ck_assert_uint_eq(value, 2);
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x28, 1, 0, 0x32, 0x33), CFI_OK); /* bra */
	ck_assert_uint_eq(value, 3);
}
END_TEST

START_TEST(shifts_of_any_width_are_defined)
{
	uint64_t value;

	ck_assert_int_eq(EVALUATE(&value, 0x11, 0x70, 0x32, 0x26), CFI_OK); /* -16 shra 2 */
	ck_assert_uint_eq(value, (uint64_t)-4);
	ck_assert_int_eq(EVALUATE(&value, 0x11, 0x70, 0x08, 200, 0x26), CFI_OK);
	ck_assert_uint_eq(value, UINT64_MAX);
	ck_assert_int_eq(EVALUATE(&value, 0x40, 0x30, 0x26), CFI_OK); /* 16 shra 0 */
	ck_assert_uint_eq(value, 16);
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x08, 64, 0x24), CFI_OK); /* shl */
	ck_assert_uint_eq(value, 0);
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x08, 64, 0x25), CFI_OK); /* shr */
	ck_assert_uint_eq(value, 0);
}
END_TEST

START_TEST(expressions_that_go_wrong_are_broken)
{
	uint64_t value;

	ck_assert_int_eq(EVALUATE(&value, 0x2f, 0xfd, 0xff), CFI_BROKEN);	/* endless loop */
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x2f, 0xfc, 0xff), CFI_BROKEN); /* and it grows */
	ck_assert_int_eq(EVALUATE(&value, 0x2f, 0xff, 0x7f), CFI_BROKEN);	/* jump out */
	ck_assert_int_eq(EVALUATE(&value, 0x22), CFI_BROKEN);			/* empty stack */
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x30, 0x1b), CFI_BROKEN);	/* 1 / 0 */
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x30, 0x1d), CFI_BROKEN);	/* 1 mod 0 */
	ck_assert_int_eq(EVALUATE(&value, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x11, 0x7f, 0x1b),
			 CFI_BROKEN);				       /* overflow */
	ck_assert_int_eq(EVALUATE(&value, 0x30, 0x06), CFI_BROKEN);    /* unreadable */
	ck_assert_int_eq(EVALUATE(&value, 0x31, 0x94, 9), CFI_BROKEN); /* 9 bytes */
	ck_assert_int_eq(EVALUATE(&value, 0x76, 0), CFI_BROKEN);       /* rbp is not known */
	ck_assert_int_eq(EVALUATE(&value, 0x03, 1, 2), CFI_BROKEN);    /* cut off */
	ck_assert_int_eq(EVALUATE(&value, 0xe0), CFI_BROKEN);	       /* unknown */
	ck_assert_int_eq(EVALUATE(&value, 0x96), CFI_BROKEN);	       /* no value */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("call frame information");
	TCase *tcase = tcase_create("cfi");

	tcase_add_test(tcase, each_address_has_the_row_that_holds_there);
	tcase_add_test(tcase, only_the_described_code_is_found);
	tcase_add_test(tcase, remembered_states_come_back);
	tcase_add_test(tcase, restoring_more_than_was_remembered_is_broken);
	tcase_add_test(tcase, all_kinds_of_rules_are_read);
	tcase_add_test(tcase, a_signal_frame_says_so);
	tcase_add_test(tcase, what_is_not_understood_is_broken_and_not_skipped);
	tcase_add_test(tcase, lengths_that_reach_out_of_the_table_are_broken);
	tcase_add_test(tcase, a_table_cut_off_anywhere_never_gives_a_row);
	tcase_add_test(tcase, damage_in_any_byte_is_survived);
	tcase_add_test(tcase, the_index_finds_what_walking_finds);
	tcase_add_test(tcase, an_index_made_from_the_records_finds_the_same);
	tcase_add_test(tcase, an_index_that_promises_too_much_is_not_used);
	tcase_add_test(tcase, the_expression_of_a_plt_is_computed);
	tcase_add_test(tcase, an_expression_reads_memory_and_moves_its_stack);
	tcase_add_test(tcase, shifts_of_any_width_are_defined);
	tcase_add_test(tcase, expressions_that_go_wrong_are_broken);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
