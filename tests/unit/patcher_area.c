/* SPDX-License-Identifier: MIT */
/* Patch areas, their layout, placement, stubs and relocation: without a target. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_object.h"
#include "patcher/area.h"
#include "patcher/layout.h"
#include "patcher/placement.h"
#include "patcher/relocate.h"
#include "patcher/stub.h"
#include "tests/lib/small_patch.h"
#include "tests/lib/suite.h"

#define AREA 0x555555057000ull

static struct vg_patch *small_patch(void)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct vg_patch *patch;
	size_t count;

	vg_small_patch(&bytes, &count);
	ck_assert_ptr_null(vg_patch_parse(bytes, count, "test", &patch));
	return patch;
}

static struct vga_header good_header(void)
{
	struct vga_header header = {.version = VGA_VERSION,
				    .header_bytes = sizeof(header),
				    .area_address = AREA,
				    .area_bytes = 0x3000,
				    .state = VGA_APPLIED,
				    .switch_word = 1,
				    .primary = AREA,
				    .sequence = 1,
				    .area_count = 1,
				    .function_count = 1,
				    .functions_offset = sizeof(header),
				    .stubs_offset = 512,
				    .stubs_bytes = VG_STUB_BYTES,
				    .registration_offset = 320,
				    .unwind_offset = 576,
				    .unwind_bytes = 256,
				    .text_offset = 1024,
				    .text_bytes = 256,
				    .object_offset = 2048,
				    .object_bytes = 512,
				    .data_offset = 0x2000,
				    .data_bytes = 8,
				    .name = "fix"};

	memcpy(header.magic, VGA_MAGIC, sizeof(header.magic));
	return header;
}

static enum vg_code check(const struct vga_header *header, bool *is_area)
{
	_cleanup_(vg_error_cleanup) struct vg_error *error =
		vg_area_check_header(header, AREA, is_area);

	return vg_error_code(error);
}

START_TEST(a_header_is_known_only_where_it_says_it_lies)
{
	struct vga_header header = good_header();
	bool is_area;

	ck_assert_int_eq(check(&header, &is_area), VG_DONE);
	ck_assert(is_area);
	header.area_address += 0x1000;
	ck_assert_int_eq(check(&header, &is_area), VG_DONE);
	ck_assert(!is_area);
	header = good_header();
	header.magic[3] ^= 1;
	ck_assert_int_eq(check(&header, &is_area), VG_DONE);
	ck_assert(!is_area);
}
END_TEST

/* Field by field, values that lead out of the area. */
#define SPOIL(field, value_)                                                                       \
	{                                                                                          \
		offsetof(struct vga_header, field), sizeof(((struct vga_header *)0)->field),       \
			value_                                                                     \
	}
static const struct {
	size_t offset, bytes;
	uint64_t value;
} spoilt[] = {
	SPOIL(version, 1),
	SPOIL(version, 3),
	SPOIL(header_bytes, 8),
	SPOIL(area_bytes, 0),
	SPOIL(area_bytes, 0x2fff),
	SPOIL(area_bytes, 0x1000),
	SPOIL(area_bytes, UINT64_MAX & ~0xfffull),
	SPOIL(state, 0),
	SPOIL(state, VGA_RETIRED + 1),
	SPOIL(state, UINT64_MAX),
	SPOIL(switch_word, 2),
	SPOIL(area_count, 0),
	SPOIL(area_count, 65),
	SPOIL(module, 1),
	SPOIL(function_count, 2),
	SPOIL(function_count, UINT32_MAX),
	SPOIL(functions_offset, 8),
	SPOIL(functions_offset, UINT32_MAX),
	SPOIL(registration_offset, 8),
	SPOIL(registration_offset, 316),
	SPOIL(registration_offset, UINT32_MAX),
	SPOIL(unwind_offset, 0),
	SPOIL(unwind_offset, UINT32_MAX),
	SPOIL(unwind_bytes, UINT32_MAX),
	SPOIL(stubs_offset, 0),
	SPOIL(stubs_offset, UINT32_MAX),
	SPOIL(stubs_bytes, 0),
	SPOIL(text_offset, 0),
	SPOIL(text_bytes, UINT32_MAX),
	SPOIL(object_offset, 0),
	SPOIL(object_bytes, UINT32_MAX),
	SPOIL(data_offset, 0x2001),
	SPOIL(data_offset, 0x1000000),
	SPOIL(data_bytes, UINT32_MAX),
	SPOIL(name, '-'),
	SPOIL(name, 0),
};

START_TEST(a_header_with_a_number_out_of_range_is_an_error)
{
	struct vga_header header = good_header();
	size_t bytes = spoilt[_i].bytes < 8 ? spoilt[_i].bytes : 8;
	bool is_area;

	memcpy((char *)&header + spoilt[_i].offset, &spoilt[_i].value, bytes);
	ck_assert_int_eq(check(&header, &is_area), VG_FAILED);
}
END_TEST

START_TEST(a_name_without_end_is_an_error)
{
	struct vga_header header = good_header();
	bool is_area;

	memset(header.name, 'a', sizeof(header.name));
	ck_assert_int_eq(check(&header, &is_area), VG_FAILED);
}
END_TEST

START_TEST(the_layout_of_a_patch_passes_the_check_of_headers)
{
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = small_patch();
	struct vga_header header = good_header();
	struct vg_layout layout;
	bool is_area;

	ck_assert_ptr_null(vg_layout_make(patch, 0, &layout));
	header.area_bytes = layout.area_bytes;
	header.function_count = layout.function_count;
	header.functions_offset = layout.functions_offset;
	header.registration_offset = layout.registration_offset;
	header.unwind_offset = layout.unwind_offset;
	header.unwind_bytes = layout.unwind_bytes;
	header.stubs_offset = layout.stubs_offset;
	header.stubs_bytes = layout.stubs_bytes;
	header.text_offset = layout.text_offset;
	header.text_bytes = layout.text_bytes;
	header.object_offset = layout.object_offset;
	header.object_bytes = layout.object_bytes;
	header.data_offset = layout.data_offset;
	header.data_bytes = layout.data_bytes;
	ck_assert_int_eq(check(&header, &is_area), VG_DONE);
	ck_assert(is_area);
	ck_assert_uint_eq(layout.function_count, 1);
	ck_assert_uint_eq(layout.text_offset % 16, 0);
	ck_assert_uint_eq(layout.data_offset % 4096, 0);
	ck_assert(vg_placement_is_marked(VG_PLACEMENT_START, layout.area_bytes));
}
END_TEST

/* ---- records of functions */

static struct vg_area area_with(struct vga_function *function, const struct vg_patch *patch)
{
	struct vg_area area = {.header = good_header(), .functions = function};

	memcpy(area.header.checksum, patch->header->checksum, 32);
	strcpy(area.header.name, vg_patch_name(patch));
	area.header.load_bias = 0x555556000000;
	*function = (struct vga_function){.entry = 0x555556001000,
					  .dispatcher = AREA + 512,
					  .select = AREA + 512 + VG_STUB_SELECT,
					  .slot = AREA + 512 + VG_STUB_SELECT,
					  .new_code = AREA + 1024,
					  .displaced = AREA + 1040,
					  .below = AREA + 1040};
	return area;
}

static enum vg_code check_record(const struct vg_area *area, const struct vg_patch *patch)
{
	_cleanup_(vg_error_cleanup) struct vg_error *error = vg_area_check_functions(area, patch);

	return vg_error_code(error);
}

START_TEST(a_record_that_does_not_fit_its_object_is_an_error)
{
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = small_patch();
	struct vga_function function;
	struct vg_area area = area_with(&function, patch);
	uint64_t *fields[] = {&function.slot,	&function.entry,    &function.dispatcher,
			      &function.select, &function.new_code, &function.displaced};

	ck_assert_int_eq(check_record(&area, patch), VG_DONE);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		area_with(&function, patch);
		*fields[i] ^= 0x10000;
		ck_assert_int_eq(check_record(&area, patch), VG_FAILED);
	}
	area_with(&function, patch);
	function.function = 1; /* a new function has no entry */
	ck_assert_int_eq(check_record(&area, patch), VG_FAILED);
	function.function = 9999;
	ck_assert_int_eq(check_record(&area, patch), VG_FAILED);
	area_with(&function, patch);
	area.header.checksum[0] ^= 1;
	ck_assert_int_eq(check_record(&area, patch), VG_FAILED);
}
END_TEST

/* ---- placement */

static const char pie_maps[] = "555555554000-555555556000 r-xp 00000000 08:01 1 /bin/a\n"
			       "555555600000-555555621000 rw-p 00000000 00:00 0 [heap]\n"
			       "7ffff7c00000-7ffff7e00000 r-xp 00000000 08:01 2 /lib/libc.so.6\n"
			       "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n";
static const char fixed_maps[] = "00400000-00402000 r-xp 00000000 08:01 1 /bin/a\n"
				 "00500000-00521000 rw-p 00000000 00:00 0 [heap]\n"
				 "7ffff7c00000-7ffff7e00000 r-xp 00000000 08:01 2 /lib/libc.so.6\n"
				 "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n";

static uint64_t place(const char *text, struct vg_placement placement)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	uint64_t address = 0;
	_cleanup_(vg_error_cleanup) struct vg_error *error = NULL;

	placement.min_address = 0x10000;
	ck_assert_ptr_null(vg_maps_parse(text, &maps));
	error = vg_placement_find(&placement, &maps, &address);
	return error ? 0 : address;
}

START_TEST(an_area_goes_below_its_module_first)
{
	uint64_t pie = place(pie_maps, (struct vg_placement){.start = 0x555555554000,
							     .end = 0x555555556000,
							     .area_bytes = 0x3000});
	uint64_t fixed = place(fixed_maps, (struct vg_placement){.start = 0x400000,
								 .end = 0x402000,
								 .area_bytes = 0x3000,
								 .below_2g = true});

	ck_assert_uint_lt(pie, 0x555555554000);
	ck_assert_uint_gt(pie, 0x555555554000 - 0x80000000ull);
	ck_assert_uint_ge(fixed, 0x10000);
	ck_assert_uint_lt(fixed, 0x400000);
	ck_assert(vg_placement_is_marked(pie, 0x3000));
	ck_assert(vg_placement_is_marked(fixed, 0x3000));
}
END_TEST

START_TEST(what_does_not_fit_below_goes_far_above_the_heap)
{
	uint64_t address = place(fixed_maps, (struct vg_placement){.start = 0x400000,
								   .end = 0x402000,
								   .area_bytes = 0x803000,
								   .below_2g = true});

	ck_assert_uint_gt(address, 0x521000 + (128ull << 20));
	ck_assert_uint_lt(address + 0x803000, 0x80000000ull);
}
END_TEST

START_TEST(a_module_without_a_hole_in_reach_is_refused)
{
	static const char full[] = "00010000-00400000 rw-p 00000000 00:00 0 \n"
				   "00400000-00402000 r-xp 00000000 08:01 1 /bin/a\n"
				   "00402000-90000000 rw-p 00000000 00:00 0 \n";

	ck_assert_uint_eq(place(full, (struct vg_placement){.start = 0x400000,
							    .end = 0x402000,
							    .area_bytes = 0x3000}),
			  0);
}
END_TEST

START_TEST(two_areas_of_one_patch_do_not_meet)
{
	struct vg_map taken = {0};
	struct vg_placement placement = {
		.start = 0x555555554000, .end = 0x555555556000, .area_bytes = 0x3000};
	uint64_t first = place(pie_maps, placement);

	taken.start = first;
	taken.end = first + 0x3000;
	placement.taken = &taken;
	placement.taken_count = 1;
	uint64_t second = place(pie_maps, placement);

	ck_assert_uint_ne(second, 0);
	ck_assert(second + 0x3000 < first || second > first + 0x3000);
}
END_TEST

/* ---- stubs, run for real */

__asm__(".text\n"
	".globl call_stub\n"
	"call_stub:\n" /* (stub, struct { flags; rax; r10; r11 } *) */
	" pushq %rbx\n movq %rsi, %rbx\n"
	" movabs $0x1111111111111111, %rax\n movabs $0x2222222222222222, %r10\n"
	" movabs $0x3333333333333333, %r11\n"
	" stc\n"
	" call *%rdi\n"
	" pushfq\n popq (%rbx)\n movq %rax, 8(%rbx)\n movq %r10, 16(%rbx)\n movq %r11, 24(%rbx)\n"
	" movq %rcx, %rax\n popq %rbx\n ret\n"
	".globl new_body\nnew_body: movl $2, %ecx\n ret\n"
	".globl old_body\nold_body: movl $1, %ecx\n ret\n");
struct left {
	uint64_t flags, rax, r10, r11;
};
long call_stub(void *stub, struct left *left);
void new_body(void);
void old_body(void);

START_TEST(the_stub_goes_where_slot_and_switch_say_and_changes_nothing)
{
	struct page {
		struct vga_function function;
		uint64_t switch_word;
		uint8_t stub[VG_STUB_BYTES];
	} *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	struct left left;

	ck_assert_ptr_ne(page, MAP_FAILED);
	page->function.dispatcher = (uint64_t)(uintptr_t)page->stub;
	page->function.select = page->function.dispatcher + VG_STUB_SELECT;
	page->function.new_code = (uint64_t)(uintptr_t)new_body;
	page->function.below = (uint64_t)(uintptr_t)old_body;
	vg_stub_write(&page->function, (uint64_t)(uintptr_t)&page->function,
		      (uint64_t)(uintptr_t)&page->switch_word, _i, page->stub);
	for (int i = 0; i < 3; i++) {
		/* The switch word of a replacing patch says the opposite. */
		page->switch_word = (i > 0) != _i;
		page->function.slot = i == 2 ? page->function.new_code : page->function.select;
		ck_assert_int_eq(call_stub(page->stub, &left), i == 0 ? 1 : 2);
		ck_assert_uint_eq(left.flags & 1, 1);
		ck_assert_uint_eq(left.rax, 0x1111111111111111);
		ck_assert_uint_eq(left.r10, 0x2222222222222222);
		ck_assert_uint_eq(left.r11, 0x3333333333333333);
	}
}
END_TEST

START_TEST(an_entry_jump_reaches_2_gib_and_no_further)
{
	uint8_t jump[VGP_JUMP_BYTES];
	uint64_t target;

	ck_assert(vg_stub_entry_jump(0x100000000, 0x100000000 + 5 + INT32_MAX, jump));
	ck_assert(vg_stub_jump_target(0x100000000, jump, &target));
	ck_assert_uint_eq(target, 0x100000000 + 5 + INT32_MAX);
	ck_assert(!vg_stub_entry_jump(0x100000000, 0x100000000 + 6 + INT32_MAX, jump));
	ck_assert(vg_stub_entry_jump(0x100000000, 0x80000005, jump));
	ck_assert(!vg_stub_entry_jump(0x100000000, 0x80000004, jump));
}
END_TEST

/* ---- relocation */

/* One relocation at offset 0 of a segment of 64 bytes. Returns the bytes, or 0xbad on refusal. */
static uint64_t relocate(uint8_t type, uint64_t module, uint64_t segment, int64_t addend)
{
	struct vgp_header header = {0};
	struct vgp_info info = {0};
	struct vgp_segment segments[] = {{.kind = VGP_TEXT, .memory_bytes = 64}};
	struct vgp_reloc relocs[] = {
		{.type = type, .base = VGP_BASE_MODULE, .addend = addend, .offset = 8}};
	struct vg_patch patch = {.header = &header,
				 .info = &info,
				 .strings = "",
				 .strings_bytes = 1,
				 .segments = segments,
				 .segment_count = 1,
				 .relocs = relocs,
				 .reloc_count = 1};
	struct vg_bases bases = {.modules = &module, .segments = &segment};
	uint8_t bytes[64] = {0};
	uint64_t value;
	_cleanup_(vg_error_cleanup) struct vg_error *error =
		vg_relocate_segment(&patch, 0, &bases, bytes);

	if (error) {
		ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
		return 0xbad;
	}
	memcpy(&value, bytes + 8, sizeof(value));
	return value;
}

START_TEST(every_kind_of_relocation_is_computed)
{
	ck_assert_uint_eq(relocate(VGP_ABS64, 0x1000, 0x5000, 0x10), 0x1010);
	ck_assert_uint_eq(relocate(VGP_ABS32, 0x1000, 0x5000, 0x10), 0x1010);
	ck_assert_uint_eq(relocate(VGP_PC32, 0x1000, 0x5000, -4), (uint32_t)(0x1000 - 4 - 0x5008));
	ck_assert_uint_eq(relocate(VGP_PC64, 0x1000, 0x5000, 0), (uint64_t)0x1000 - 0x5008);
}
END_TEST

START_TEST(a_value_that_does_not_fit_is_refused)
{
	ck_assert_uint_eq(relocate(VGP_ABS32, 0xffffffff, 0, 0), 0xffffffff);
	ck_assert_uint_eq(relocate(VGP_ABS32, 0xffffffff, 0, 1), 0xbad);
	ck_assert_uint_eq(relocate(VGP_ABS32, 0, 0, -1), 0xbad);
	ck_assert_uint_eq(relocate(VGP_ABS32S, 0x7fffffff, 0, 0), 0x7fffffff);
	ck_assert_uint_eq(relocate(VGP_ABS32S, 0x7fffffff, 0, 1), 0xbad);
	ck_assert_uint_eq(relocate(VGP_ABS32S, 0, 0, -1), 0xffffffff);
	ck_assert_uint_eq(relocate(VGP_PC32, 0x7fffffffull + 8, 0, 0), 0x7fffffff);
	ck_assert_uint_eq(relocate(VGP_PC32, 0x7fffffffull + 9, 0, 0), 0xbad);
	ck_assert_uint_eq(relocate(VGP_PC32, 0, 0x90000000, 0), 0xbad);
	ck_assert_uint_eq(relocate(99, 0, 0, 0), 0xbad);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_area");
	TCase *tcase = tcase_create("area");

	tcase_add_test(tcase, a_header_is_known_only_where_it_says_it_lies);
	tcase_add_loop_test(tcase, a_header_with_a_number_out_of_range_is_an_error, 0,
			    sizeof(spoilt) / sizeof(spoilt[0]));
	tcase_add_test(tcase, a_name_without_end_is_an_error);
	tcase_add_test(tcase, the_layout_of_a_patch_passes_the_check_of_headers);
	tcase_add_test(tcase, a_record_that_does_not_fit_its_object_is_an_error);
	tcase_add_test(tcase, an_area_goes_below_its_module_first);
	tcase_add_test(tcase, what_does_not_fit_below_goes_far_above_the_heap);
	tcase_add_test(tcase, a_module_without_a_hole_in_reach_is_refused);
	tcase_add_test(tcase, two_areas_of_one_patch_do_not_meet);
	tcase_add_loop_test(tcase, the_stub_goes_where_slot_and_switch_say_and_changes_nothing, 0,
			    2);
	tcase_add_test(tcase, an_entry_jump_reaches_2_gib_and_no_further);
	tcase_add_test(tcase, every_kind_of_relocation_is_computed);
	tcase_add_test(tcase, a_value_that_does_not_fit_is_refused);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
