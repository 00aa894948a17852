/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_object.h"
#include "common/patch_record.h"
#include "tests/lib/small_patch.h"
#include "tests/lib/suite.h"

static enum vg_code parse_code(const uint8_t *bytes, size_t count)
{
	struct vg_patch *patch = NULL;
	struct vg_error *error = vg_patch_parse(bytes, count, "test", &patch);
	enum vg_code code = vg_error_code(error);

	if (error)
		ck_assert_ptr_null(patch);
	vg_error_free(error);
	vg_patch_free(patch);
	return code;
}

START_TEST(what_the_writer_wrote_the_reader_gives_back)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = NULL;
	size_t count;

	vg_small_patch(&bytes, &count);
	ck_assert_ptr_null(vg_patch_parse(bytes, count, "test", &patch));
	ck_assert_str_eq(vg_patch_name(patch), "small");
	ck_assert_uint_eq(patch->function_count, 2);
	ck_assert_str_eq(vg_patch_string(patch, patch->functions[0].symbol), "answer.constprop.0");
	ck_assert_uint_eq(patch->functions[0].old_address, 0x1000);
	ck_assert_uint_eq(patch->reloc_count, 2);
	ck_assert_int_eq(patch->relocs[1].addend, 0x3000);
	ck_assert_str_eq(vg_patch_string(patch, patch->imports[0].version), "GLIBC_2.14");
	ck_assert_ptr_eq(vg_patch_segment(patch, 0, VGP_DATA), &patch->segments[1]);
	ck_assert_ptr_null(vg_patch_segment(patch, 1, VGP_TEXT));
}
END_TEST

START_TEST(the_same_records_give_the_same_bytes)
{
	_cleanup_free_ uint8_t *a = NULL, *b = NULL;
	size_t a_count, b_count;

	vg_small_patch(&a, &a_count);
	vg_small_patch(&b, &b_count);
	ck_assert_uint_eq(a_count, b_count);
	ck_assert_mem_eq(a, b, a_count);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	vg_small_patch(&bytes, &count);
	for (size_t length = 0; length < count; length++)
		ck_assert_int_eq(parse_code(bytes, length), VG_REFUSED);
}
END_TEST

START_TEST(every_changed_byte_is_refused)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	vg_small_patch(&bytes, &count);
	for (size_t i = 0; i < count; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1u << bit);
			ck_assert_int_eq(parse_code(bytes, count), VG_REFUSED);
			bytes[i] ^= (uint8_t)(1u << bit);
		}
	ck_assert_int_eq(parse_code(bytes, count), VG_DONE);
}
END_TEST

START_TEST(bytes_behind_the_end_are_refused)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	vg_small_patch(&bytes, &count);
	uint8_t *longer = calloc(1, count + 8);
	memcpy(longer, bytes, count);
	ck_assert_int_eq(parse_code(longer, count + 8), VG_REFUSED);
	free(longer);
}
END_TEST

static void reseal(uint8_t *bytes, size_t count)
{
	struct vgp_header *header = (void *)bytes;

	vg_patch_checksum(bytes, count, header->checksum);
}

/*
 * A valid checksum does not make a file honest: each 32-bit word is set to hostile values and the
 * file sealed again. It may be refused or accepted, but what is accepted must be in range.
 */
static void use_everything(const uint8_t *bytes, size_t count)
{
	struct vg_patch *patch = NULL;
	struct vg_error *error = vg_patch_parse(bytes, count, "test", &patch);
	size_t sum = 0;

	vg_error_free(error);
	if (!patch)
		return;
	for (size_t i = 0; i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];
		const struct vgp_segment *text =
			vg_patch_segment(patch, function->module, VGP_TEXT);

		sum += strlen(vg_patch_string(patch, function->name));
		sum += strlen(vg_patch_string(patch, function->symbol));
		ck_assert_ptr_nonnull(text);
		ck_assert_uint_le((uint64_t)function->new_offset + function->new_bytes,
				  text->memory_bytes);
	}
	for (size_t i = 0; i < patch->segment_count; i++)
		for (size_t k = 0; k < patch->segments[i].content_bytes; k++)
			sum += patch->contents[patch->segments[i].content_offset + k];
	for (size_t i = 0; i < patch->reloc_count; i++)
		sum += strlen(vg_patch_string(patch, patch->relocs[i].name)) +
		       patch->segments[patch->relocs[i].segment].kind;
	ck_assert_uint_ne(sum, (size_t)-1);
	vg_patch_free(patch);
}

START_TEST(a_sealed_but_hostile_object_never_reaches_outside_itself)
{
	static const uint32_t hostile[] = {0,	       1,	   2,	       0xff,
					   0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t count;

	vg_small_patch(&bytes, &count);
	for (size_t i = 0; i + 4 <= count; i += 4)
		for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++) {
			uint32_t saved;

			memcpy(&saved, bytes + i, 4);
			memcpy(bytes + i, &hostile[k], 4);
			reseal(bytes, count);
			use_everything(bytes, count);
			memcpy(bytes + i, &saved, 4);
		}
}
END_TEST

/* A table that the small patch could have, but for one number. */
static const struct vgp_shadow_table no_tables[] = {
	{.segment = 0, .offset = 16, .count = 2, .bytes = 48, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 2, .offset = 16, .count = 2, .bytes = 48, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 24, .count = 2, .bytes = 32, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 32, .count = 2, .bytes = 48, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 16, .count = 0, .bytes = 48, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 16, .count = 3, .bytes = 48, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 16, .count = 2, .bytes = 0, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 16, .count = 2, .bytes = 40, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 16, .count = 2, .bytes = 64, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .count = 0x80000000, .bytes = 0x80000000, .layout = VGP_SHADOW_LAYOUT},
	{.segment = 1, .offset = 16, .count = 2, .bytes = 48, .layout = VGP_SHADOW_LAYOUT + 1},
	{.segment = 1, .offset = 16, .count = 2, .bytes = 48, .layout = 1, .reserved = 1},
};

START_TEST(a_table_of_shadow_variables_lies_in_the_data_and_has_a_known_layout)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = NULL;
	size_t count, at;

	vg_small_patch(&bytes, &count);
	ck_assert_ptr_null(vg_patch_parse(bytes, count, "test", &patch));
	ck_assert_uint_eq(patch->shadow_count, 1);
	ck_assert_uint_eq(patch->shadows->bytes, 48);
	at = (size_t)((const uint8_t *)patch->shadows - patch->bytes);
	memcpy(bytes + at, &no_tables[_i], sizeof(no_tables[_i]));
	reseal(bytes, count);
	ck_assert_int_eq(parse_code(bytes, count), VG_REFUSED);
	memcpy(bytes + at, patch->shadows, sizeof(*patch->shadows));
	reseal(bytes, count);
	ck_assert_int_eq(parse_code(bytes, count), VG_DONE);
}
END_TEST

START_TEST(names_are_of_the_alphabet_that_the_manual_tells)
{
	ck_assert(vg_patch_name_is_valid("CVE-2024-8354"));
	ck_assert(vg_patch_name_is_valid("a"));
	ck_assert(!vg_patch_name_is_valid(""));
	ck_assert(!vg_patch_name_is_valid("-rf"));
	ck_assert(!vg_patch_name_is_valid(".."));
	ck_assert(!vg_patch_name_is_valid("a/b"));
	ck_assert(!vg_patch_name_is_valid("a b"));
	ck_assert(!vg_patch_name_is_valid(
		"0123456789012345678901234567890123456789012345678901234567890123"));
}
END_TEST

START_TEST(an_object_takes_the_place_of_no_pipe_or_device)
{
	char directory[] = "/tmp/vgraft-unit-XXXXXX";
	_cleanup_free_ char *path = NULL;
	struct vg_error *error;
	struct stat status;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_gt(asprintf(&path, "%s/pipe", directory), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	error = vg_write_file_atomically(path, "patch", 5);
	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert(S_ISFIFO(status.st_mode));
	vg_error_free(error);
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patch_object");
	TCase *tcase = tcase_create("patch_object");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, what_the_writer_wrote_the_reader_gives_back);
	tcase_add_test(tcase, the_same_records_give_the_same_bytes);
	tcase_add_test(tcase, every_truncation_is_refused);
	tcase_add_test(tcase, every_changed_byte_is_refused);
	tcase_add_test(tcase, bytes_behind_the_end_are_refused);
	tcase_add_test(tcase, a_sealed_but_hostile_object_never_reaches_outside_itself);
	tcase_add_loop_test(tcase,
			    a_table_of_shadow_variables_lies_in_the_data_and_has_a_known_layout, 0,
			    sizeof(no_tables) / sizeof(no_tables[0]));
	tcase_add_test(tcase, names_are_of_the_alphabet_that_the_manual_tells);
	tcase_add_test(tcase, an_object_takes_the_place_of_no_pipe_or_device);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
