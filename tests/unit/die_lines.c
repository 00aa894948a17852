/* SPDX-License-Identifier: MIT */
/* The headers of .debug_line that libdwarf is given, and those that it is not. */
#include <string.h>

#include "differ/die.h"
#include "tests/lib/suite.h"

/* Two directories, and two files with the directory of each; no program. */
static const uint8_t sound[] = {
	47,   0,    0,	  0,	      /* unit_length */
	5,    0,		      /* version */
	8,    0,		      /* address_size, segment_selector_size */
	40,   0,    0,	  0,	      /* header_length */
	1,    1,    1,	  0xfb,	      /* instruction lengths, default_is_stmt, line_base */
	14,   4,		      /* line_range, opcode_base */
	0,    1,    1,		      /* standard_opcode_lengths */
	1,			      /* directory_entry_format_count */
	1,    0x08,		      /* DW_LNCT_path, DW_FORM_string */
	2,			      /* directories_count */
	'/',  'a',  0,	  'b',	0, 3, /* file_name_entry_format_count */
	1,    0x1f,		      /* DW_LNCT_path, DW_FORM_line_strp */
	2,    0x0b,		      /* DW_LNCT_directory_index, DW_FORM_data1 */
	0x81, 0x40, 0x0f,	      /* a vendor's, DW_FORM_udata */
	2,			      /* file_names_count */
	0,    0,    0,	  0,	0, 7, /* the first file: name, directory, the vendor's */
	9,    0,    0,	  0,	1, 7, /* the second */
};

#define UNIT_LENGTH	 0
#define VERSION		 4
#define OPCODE_BASE	 17
#define DIRECTORY_COUNT	 24
#define FILE_FORMATS	 30
#define FILE_FORM	 34
#define SECOND_DIRECTORY (sizeof(sound) - 2)

START_TEST(a_table_of_lines_is_sound)
{
	uint8_t two[2 * sizeof(sound)];

	ck_assert_uint_eq(sound[UNIT_LENGTH], sizeof(sound) - 4);
	ck_assert(vg_die_lines_are_sound(sound, sizeof(sound)));
	memcpy(two, sound, sizeof(sound));
	memcpy(two + sizeof(sound), sound, sizeof(sound));
	ck_assert(vg_die_lines_are_sound(two, sizeof(two)));
	ck_assert(!vg_die_lines_are_sound(two, sizeof(two) - 1));
	ck_assert(vg_die_lines_are_sound(two, 0));
}
END_TEST

static const struct {
	size_t at;
	uint8_t byte;
	bool is_sound;
} changes[] = {
	{SECOND_DIRECTORY, 0, true}, {SECOND_DIRECTORY, 2, false}, {SECOND_DIRECTORY, 255, false},
	{DIRECTORY_COUNT, 0, false}, {DIRECTORY_COUNT, 1, false},  {DIRECTORY_COUNT, 200, false},
	{FILE_FORMATS, 0, false},    {FILE_FORM, 0x01, false},	   {UNIT_LENGTH, 46, false},
	{UNIT_LENGTH, 48, false},    {VERSION, 4, true},	   {OPCODE_BASE, 0, false},
};

START_TEST(a_file_in_no_directory_of_the_table_makes_it_unsound)
{
	uint8_t bytes[sizeof(sound)];

	memcpy(bytes, sound, sizeof(sound));
	bytes[changes[_i].at] = changes[_i].byte;
	ck_assert(vg_die_lines_are_sound(bytes, sizeof(bytes)) == changes[_i].is_sound);
}
END_TEST

START_TEST(no_part_of_a_table_is_sound)
{
	for (size_t size = 1; size < sizeof(sound); size++)
		ck_assert(!vg_die_lines_are_sound(sound, size));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("die_lines");
	TCase *tcase = tcase_create("die_lines");

	tcase_add_test(tcase, a_table_of_lines_is_sound);
	tcase_add_loop_test(tcase, a_file_in_no_directory_of_the_table_makes_it_unsound, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tcase, no_part_of_a_table_is_sound);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
