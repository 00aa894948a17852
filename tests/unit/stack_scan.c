// SPDX-License-Identifier: MIT
/* Which words count as addresses in a changed function. */
#include <unistd.h>

#include "patcher/ranges.h"
#include "patcher/stack_scan.h"
#include "tests/lib/suite.h"

static const struct vg_code_range ranges[] = {
	{0x1000, 0x1080, "entry", .is_entry = true},
	{0x9000, 0x9010, "part", .is_entry = false},
};

static struct stack_ranges both(void)
{
	return stack_ranges_of(ranges, 2);
}

START_TEST(a_pointer_to_a_function_is_no_return_address)
{
	struct stack_ranges all = both();

	ck_assert_ptr_null(stack_word_hit(&all, 0x1000));
	ck_assert_ptr_eq(stack_word_hit(&all, 0x1001), &ranges[0]);
	/* A part has no callers: an address at its start comes from an interrupted frame. */
	ck_assert_ptr_eq(stack_word_hit(&all, 0x9000), &ranges[1]);
}
END_TEST

START_TEST(the_address_behind_a_last_call_counts)
{
	struct stack_ranges all = both();

	ck_assert_ptr_eq(stack_word_hit(&all, 0x1080), &ranges[0]);
	ck_assert_ptr_null(stack_word_hit(&all, 0x1081));
	ck_assert_ptr_eq(stack_word_hit(&all, 0x9010), &ranges[1]);
}
END_TEST

START_TEST(the_address_behind_a_function_that_ends_without_a_call_is_that_of_the_next)
{
	static const struct vg_code_range range = {0x1000, 0x1080, "returns", true,
						   .ends_without_call = true};
	struct stack_ranges all = stack_ranges_of(&range, 1);

	ck_assert_ptr_null(stack_word_hit(&all, 0x1080));
	ck_assert_ptr_eq(stack_word_hit(&all, 0x107f), &range);
	/* What an unwinder says is a return address is one. */
	ck_assert_ptr_eq(stack_ip_hit(&all, 0x1080, false), &range);
}
END_TEST

#define TAIL(...)                                                                                  \
	vg_may_end_in_call((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

START_TEST(every_form_of_a_call_at_the_end_of_code_is_seen)
{
	ck_assert(TAIL(0x90, 0xe8, 1, 2, 3, 4));       /* call rel32 */
	ck_assert(TAIL(0x66, 0xe8, 1, 2));	       /* call rel16 */
	ck_assert(TAIL(0x55, 0xff, 0xd0));	       /* call *%rax */
	ck_assert(TAIL(0x41, 0xff, 0xd3));	       /* call *%r11 */
	ck_assert(TAIL(0xff, 0x15, 0, 0, 0, 0));       /* call *0(%rip) */
	ck_assert(TAIL(0xff, 0x94, 0x24, 0, 1, 0, 0)); /* call *0x100(%rsp) */
	ck_assert(TAIL(0x55, 0xff, 0x50, 0x18));       /* call *0x18(%rax) */
	ck_assert(TAIL(0x0f, 0x05) && TAIL(0xcd, 0x80) && TAIL(0x90, 0xcc));
	ck_assert(TAIL(0xc3));				   /* too little to tell */
	ck_assert(!TAIL(0x0f, 0xaf, 0xc0, 0x5d, 0xc3));	   /* imul; pop; ret */
	ck_assert(!TAIL(0x31, 0xc0, 0xe9, 1, 2, 3, 4));	   /* xor; jmp */
	ck_assert(!TAIL(0xeb, 0x10) && !TAIL(0x0f, 0x0b)); /* jmp; ud2 */
}
END_TEST

START_TEST(words_between_and_around_the_ranges_do_not_count)
{
	struct stack_ranges all = both(), none = stack_ranges_of(NULL, 0);

	ck_assert_ptr_null(stack_word_hit(&all, 0));
	ck_assert_ptr_null(stack_word_hit(&all, 0xfff));
	ck_assert_ptr_null(stack_word_hit(&all, 0x5000));
	ck_assert_ptr_null(stack_word_hit(&all, UINT64_MAX));
	ck_assert_ptr_null(stack_word_hit(&none, UINT64_MAX));
	ck_assert_ptr_null(stack_word_hit(&none, 0));
}
END_TEST

START_TEST(an_exact_address_and_a_return_address_differ_at_the_edges)
{
	struct stack_ranges all = both();

	ck_assert_ptr_null(stack_ip_hit(&all, 0x1000, true));  /* nothing has run */
	ck_assert_ptr_null(stack_ip_hit(&all, 0x1000, false)); /* the call is in front of it */
	ck_assert_ptr_null(stack_ip_hit(&all, 0x1080, true));
	ck_assert_ptr_eq(stack_ip_hit(&all, 0x1080, false), &ranges[0]);
	ck_assert_ptr_eq(stack_ip_hit(&all, 0x9000, true), &ranges[1]);
}
END_TEST

START_TEST(hits_are_counted_with_the_lowest_and_the_highest)
{
	static const uint64_t words[] = {1, 0x1004, 2, 0x9008, 0x1000, 0x1080, 3};
	struct stack_ranges all = both();
	struct stack_hits hits = {0};

	stack_scan_words(&all, words, 7, 0x7000, &hits);
	ck_assert_uint_eq(hits.count, 3);
	ck_assert_uint_eq(hits.lowest, 0x7008);
	ck_assert_uint_eq(hits.highest, 0x7028);
	ck_assert_ptr_eq(hits.first, &ranges[0]);
}
END_TEST

START_TEST(a_region_that_ends_too_early_is_said_to_be_unread)
{
	static uint64_t words[40000];
	struct stack_ranges all = both();
	struct stack_hits hits = {0};
	struct vg_memory memory;
	uint64_t start = (uint64_t)words;

	ck_assert_ptr_null(vg_memory_open(getpid(), &memory));

	words[39999] = 0x1004;
	ck_assert(stack_scan_region(&all, &memory, start, start + sizeof(words), &hits));
	ck_assert_uint_eq(hits.count, 1);
	ck_assert_uint_eq(hits.highest, start + sizeof(words) - 8);
	ck_assert(!stack_scan_region(&all, &memory, 0, 8, &hits));
	vg_memory_close(&memory);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stack scan");
	TCase *tcase = tcase_create("scan");

	tcase_add_test(tcase, a_pointer_to_a_function_is_no_return_address);
	tcase_add_test(tcase, the_address_behind_a_last_call_counts);
	tcase_add_test(tcase,
		       the_address_behind_a_function_that_ends_without_a_call_is_that_of_the_next);
	tcase_add_test(tcase, every_form_of_a_call_at_the_end_of_code_is_seen);
	tcase_add_test(tcase, words_between_and_around_the_ranges_do_not_count);
	tcase_add_test(tcase, an_exact_address_and_a_return_address_differ_at_the_edges);
	tcase_add_test(tcase, hits_are_counted_with_the_lowest_and_the_highest);
	tcase_add_test(tcase, a_region_that_ends_too_early_is_said_to_be_unread);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
