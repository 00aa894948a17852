/* SPDX-License-Identifier: MIT */
/*
 * Where stored pointers to a patch can lead: made-up patches whose TEXT is one function, what it
 * displaces, a constant right behind that, and call frame information.
 */
#include <stdlib.h>

#include "patcher/stored_ranges.h"
#include "tests/lib/suite.h"

#define AREA	    0x555555057000ull
#define TEXT_OFFSET 0x1000
#define DATA_OFFSET 0x3000
#define NEW_BYTES   40
#define DISPLACED   48
#define CONSTANT    8 /* bytes */
#define UNWIND	    0x100

enum { TEXT, DATA };

struct made {
	struct vgp_segment segments[2];
	struct vgp_function functions[2];
	struct vgp_reloc reloc;
	struct vgp_unwind unwind;
	struct vg_patch patch;
	struct vg_area area;
	struct vg_installed installed;
	struct vg_stored_ranges stored;
};

/* `entry_bytes` are displaced, with or without a jump back behind them. */
static void make(struct made *made, uint8_t entry_bytes, bool jumps_back)
{
	*made = (struct made){
		.segments = {{.kind = VGP_TEXT, .memory_bytes = UNWIND + 64},
			     {.kind = VGP_DATA, .memory_bytes = 24}},
		.functions = {{.kind = VGP_CHANGED,
			       .entry_bytes = entry_bytes,
			       .new_bytes = NEW_BYTES,
			       .displaced_offset = DISPLACED}},
		.reloc = {.offset = DISPLACED + entry_bytes + 1u, .type = VGP_PC32},
		.unwind = {.offset = UNWIND, .bytes = 64},
		.area.header = {.area_address = AREA,
				.area_bytes = 0x4000,
				.text_offset = TEXT_OFFSET,
				.text_bytes = UNWIND + 64,
				.data_offset = DATA_OFFSET,
				.data_bytes = 24},
	};
	made->patch = (struct vg_patch){.segments = made->segments,
					.segment_count = 2,
					.functions = made->functions,
					.function_count = 1,
					.relocs = &made->reloc,
					.reloc_count = jumps_back,
					.unwinds = &made->unwind,
					.unwind_count = 1};
	made->installed = (struct vg_installed){
		.areas = &made->area, .area_count = 1, .object = &made->patch};
	ck_assert_ptr_null(vg_stored_ranges(&made->installed, &made->stored));
}

static bool is_covered(const struct made *made, uint64_t address)
{
	for (size_t i = 0; i < made->stored.count; i++)
		if (address >= made->stored.ranges[i].first &&
		    address <= made->stored.ranges[i].last)
			return true;
	return false;
}

static const struct {
	uint8_t entry_bytes;
	bool jumps_back;
} shapes[] = {{5, true}, {5, false}, {7, true}, {19, true}, {24, true}, {24, false}};

START_TEST(a_constant_right_behind_displaced_code_is_covered)
{
	uint64_t text = AREA + TEXT_OFFSET, constant;
	struct made made;

	make(&made, shapes[_i].entry_bytes, shapes[_i].jumps_back);
	constant = text + DISPLACED + shapes[_i].entry_bytes + (shapes[_i].jumps_back ? 5 : 0);
	ck_assert(is_covered(&made, constant));
	ck_assert(is_covered(&made, constant + CONSTANT));
	ck_assert(is_covered(&made, text + UNWIND)); /* one past the last constant */
	vg_stored_ranges_clear(&made.stored);
}
END_TEST

/* Only return addresses lead there, and dead ones are everywhere. */
START_TEST(the_middle_of_code_and_call_frame_information_are_not_covered)
{
	uint64_t text = AREA + TEXT_OFFSET;
	struct made made;

	make(&made, 7, true);
	ck_assert(is_covered(&made, text));
	ck_assert(!is_covered(&made, text + 1));
	ck_assert(!is_covered(&made, text + NEW_BYTES - 1));
	ck_assert(!is_covered(&made, text + DISPLACED + 3));
	ck_assert(!is_covered(&made, text + UNWIND + 8));
	vg_stored_ranges_clear(&made.stored);
}
END_TEST

START_TEST(all_variables_are_covered_and_the_address_behind_them)
{
	struct made made;

	make(&made, 7, true);
	ck_assert(is_covered(&made, AREA + DATA_OFFSET));
	ck_assert(is_covered(&made, AREA + DATA_OFFSET + 24));
	ck_assert(!is_covered(&made, AREA + DATA_OFFSET + 25));
	vg_stored_ranges_clear(&made.stored);
}
END_TEST

START_TEST(without_the_object_all_of_the_area_is_covered)
{
	struct vg_stored_ranges stored = {0};
	struct made made;

	make(&made, 7, true);
	made.installed.object = NULL;
	ck_assert_ptr_null(vg_stored_ranges(&made.installed, &stored));
	ck_assert_uint_eq(stored.count, 1);
	ck_assert_uint_eq(stored.ranges[0].first, AREA);
	ck_assert_uint_eq(stored.ranges[0].last, AREA + 0x4000);
	vg_stored_ranges_clear(&stored);
	vg_stored_ranges_clear(&made.stored);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stored_ranges");
	TCase *tcase = tcase_create("ranges");

	tcase_add_loop_test(tcase, a_constant_right_behind_displaced_code_is_covered, 0,
			    sizeof(shapes) / sizeof(shapes[0]));
	tcase_add_test(tcase, the_middle_of_code_and_call_frame_information_are_not_covered);
	tcase_add_test(tcase, all_variables_are_covered_and_the_address_behind_them);
	tcase_add_test(tcase, without_the_object_all_of_the_area_is_covered);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
