/* SPDX-License-Identifier: MIT */
/* What a patch area has for unwinders: the index finds every FDE, and the rows are right. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/cfi.h"
#include "patcher/stub.h"
#include "patcher/unwind_table.h"
#include "tests/lib/small_patch.h"
#include "tests/lib/suite.h"

#define AREA	  UINT64_C(0x555500057000)
#define STUBS	  (AREA + 0x1000)
#define FUNCTIONS 3
#define PART	  (STUBS + 0x100)
#define TEXT	  (STUBS + 0x800)
#define NEXT	  (AREA + 0x200)

static uint8_t part[0x400];

static bool read_part(void *context, uint64_t address, void *buffer, size_t count)
{
	(void)context;
	if (address < PART || address - PART > sizeof(part) ||
	    count > sizeof(part) - (address - PART))
		return false;
	memcpy(buffer, part + (address - PART), count);
	return true;
}

static struct vg_patch *make(void)
{
	struct vg_unwind_table table = {.address = PART,
					.stubs = STUBS,
					.functions = FUNCTIONS,
					.code_end = TEXT + 64,
					.next = NEXT,
					.module = UINT64_C(0x555555554000),
					.text_address = TEXT};
	_cleanup_free_ uint8_t *bytes = NULL;
	struct vg_patch *patch = NULL;
	size_t count, records;

	vg_small_patch(&bytes, &count);
	ck_assert_ptr_null(vg_patch_parse(bytes, count, "test", &patch));
	ck_assert_ptr_null(vg_unwind_count(patch, 0, &records));
	ck_assert_uint_eq(records, 0);
	table.text = patch->contents + patch->segments[0].content_offset;
	table.text_bytes = patch->segments[0].content_bytes;
	ck_assert_uint_le(vg_unwind_bytes(FUNCTIONS, records), sizeof(part));
	ck_assert_ptr_null(vg_unwind_write(patch, 0, &table, part));
	return patch;
}

/* Distance from the stack pointer to the CFA at `pc`; the return address lies right below it. */
static int64_t cfa_at(uint64_t pc)
{
	static struct cfi_entry entry;
	struct cfi_table table = {.index = PART + VG_FIND_OBJECT_BYTES,
				  .index_end = PART + sizeof(part),
				  .eh_frame = PART,
				  .eh_frame_end = PART + sizeof(part),
				  .read = read_part};
	struct cfi_row row;

	ck_assert_int_eq(cfi_find(&table, pc, &entry), CFI_OK);
	ck_assert_int_eq(cfi_row_at(&entry, pc, &row), CFI_OK);
	ck_assert_int_eq(row.cfa.kind, CFI_REGISTER);
	ck_assert_int_eq(row.cfa.value, CFI_RSP);
	ck_assert_int_eq(row.rules[CFI_RIP].kind, CFI_AT_CFA);
	ck_assert_int_eq(row.rules[CFI_RIP].value, -8);
	return row.offset;
}

START_TEST(every_instruction_of_a_stub_has_the_right_frame)
{
	/* As stub.h lists them, from the dispatcher on. */
	static const struct {
		unsigned offset;
		int cfa;
	} rows[] = {{0, 8},   {8, 8},	/* dispatcher, pushf */
		    {9, 16},  {10, 24}, /* push, movabs */
		    {19, 24}, {21, 24}, /* test, pop */
		    {22, 16}, {24, 16}, /* jne, popf */
		    {25, 8},  {31, 16}, /* jmp *below, popf */
		    {32, 8}};		/* jmp *new_code */
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = make();

	for (uint64_t stub = 0; stub < FUNCTIONS; stub++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			ck_assert_int_eq(cfa_at(STUBS + stub * VG_STUB_BYTES + rows[i].offset),
					 rows[i].cfa);
}
END_TEST

START_TEST(find_object_has_a_frame_while_it_asks_on)
{
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = make();

	ck_assert_int_eq(cfa_at(PART), 8);
	ck_assert_int_eq(cfa_at(PART + 26), 8);
	ck_assert_int_eq(part[26], 0x56); /* push %rsi */
	ck_assert_int_eq(cfa_at(PART + 27), 16);
	ck_assert_int_eq(part[43], 0x5e); /* pop %rsi */
	ck_assert_int_eq(cfa_at(PART + 43), 16);
	ck_assert_int_eq(cfa_at(PART + 44), 8);
	ck_assert_int_eq(cfa_at(PART + 87), 8);
}
END_TEST

/* Bytes that are no records must not be walked. */
START_TEST(damaged_unwind_information_is_refused)
{
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = make();
	_cleanup_(vg_error_cleanup) struct vg_error *error = NULL;
	struct vgp_unwind unwind = {.offset = 0, .bytes = 16}; /* an instruction as its length */
	size_t records;

	patch->unwinds = &unwind;
	error = vg_unwind_count(patch, 0, &records);
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unwind_table");
	TCase *tcase = tcase_create("unwind_table");

	tcase_add_test(tcase, every_instruction_of_a_stub_has_the_right_frame);
	tcase_add_test(tcase, find_object_has_a_frame_while_it_asks_on);
	tcase_add_test(tcase, damaged_unwind_information_is_refused);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
