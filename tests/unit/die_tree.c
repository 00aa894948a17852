/* SPDX-License-Identifier: MIT */
/* The trees of entries that libdwarf is given, and those that it is not. */
#include <string.h>

#include "common/error.h"
#include "differ/die.h"
#include "tests/lib/suite.h"

static const uint8_t table[] = {
	1, 0x11, 1, 0x03, 0x08, 0,    0,	     /* a unit with children: a name */
	2, 0x13, 1, 0x01, 0x13, 0x0b, 0x21, 5, 0, 0, /* a structure: DW_AT_sibling, a size */
	3, 0x0d, 0, 0x03, 0x16, 0,    0,	     /* a member: a name in any form */
	0,
};

static const uint8_t unit[] = {
	27, 0,	  0,   0, /* unit_length */
	4,  0,		  /* version */
	0,  0,	  0,   0, /* debug_abbrev_offset */
	8,		  /* address_size */
	1,  'u',  0,	  /* 11: the unit */
	2,  27,	  0,   0, /* 14: the structure */
	0,		  /* of DW_AT_sibling */
	3,  0x08, 'a', 0, /* 19: a member, DW_FORM_string */
	3,  0x0b, 7,	  /* 23: another one, DW_FORM_data1 */
	0,		  /* 26: end of the structure */
	3,  0x0b, 1,	  /* 27: what stands beside it */
	0,
};

#define UNIT_LENGTH  0
#define VERSION	     4
#define TABLE	     6
#define ADDRESS_SIZE 10
#define SIBLING	     15
#define MEMBER	     19
#define MEMBER_FORM  20

static bool are_sound(const uint8_t *bytes, size_t size, const uint8_t *codes)
{
	const struct vg_die_section info = {.bytes = (uint8_t *)bytes, .size = size};
	const struct vg_die_section abbreviations = {.bytes = (uint8_t *)codes,
						     .size = sizeof(table)};
	bool sound;

	ck_assert_ptr_null(vg_die_trees_are_sound(&info, codes ? &abbreviations : NULL, &sound));
	return sound;
}

START_TEST(a_tree_whose_siblings_stand_beside_it_is_sound)
{
	uint8_t two[2 * sizeof(unit)];

	memcpy(two, unit, sizeof(unit));
	memcpy(two + sizeof(unit), unit, sizeof(unit));
	ck_assert(are_sound(unit, sizeof(unit), table));
	ck_assert(are_sound(two, sizeof(two), table));
	ck_assert(are_sound(two, 0, table));
	ck_assert(!are_sound(unit, sizeof(unit), NULL));
	two[sizeof(unit) + SIBLING] = 14;
	ck_assert(!are_sound(two, sizeof(two), table));
}
END_TEST

static const struct {
	size_t at;
	uint8_t byte;
	bool is_sound;
} changes[] = {
	/* Itself, its parent, its child, the end of its children, behind all, nothing. */
	{SIBLING, 14, false},
	{SIBLING, 11, false},
	{SIBLING, 19, false},
	{SIBLING, 26, false},
	{SIBLING, 200, false},
	{SIBLING, 0, false},
	{VERSION, 2, true},
	{VERSION, 1, false},
	{VERSION, 6, false},
	{TABLE, 7, false},
	{TABLE, sizeof(table), false},
	{ADDRESS_SIZE, 4, false},
	{UNIT_LENGTH, 26, false},
	{UNIT_LENGTH, 28, false},
	{MEMBER, 9, false},
	/* DW_FORM_indirect once more, one that nobody knows. */
	{MEMBER_FORM, 0x16, false},
	{MEMBER_FORM, 0x7f, false},
};

START_TEST(a_changed_byte_makes_it_unsound)
{
	uint8_t bytes[sizeof(unit)];

	memcpy(bytes, unit, sizeof(unit));
	bytes[changes[_i].at] = changes[_i].byte;
	ck_assert(are_sound(bytes, sizeof(bytes), table) == changes[_i].is_sound);
}
END_TEST

/* Whoever finds the other one would read other entries. */
START_TEST(two_abbreviations_of_one_code_make_it_unsound)
{
	uint8_t codes[sizeof(table)];

	memcpy(codes, table, sizeof(table));
	codes[7] = 3;
	ck_assert(!are_sound(unit, sizeof(unit), codes));
}
END_TEST

START_TEST(no_part_of_a_unit_is_sound)
{
	for (size_t size = 1; size < sizeof(unit); size++)
		ck_assert(!are_sound(unit, size, table));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("die_tree");
	TCase *tcase = tcase_create("die_tree");

	tcase_add_test(tcase, a_tree_whose_siblings_stand_beside_it_is_sound);
	tcase_add_loop_test(tcase, a_changed_byte_makes_it_unsound, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tcase, two_abbreviations_of_one_code_make_it_unsound);
	tcase_add_test(tcase, no_part_of_a_unit_is_sound);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
