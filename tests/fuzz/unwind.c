/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the .eh_frame of an object. Every record is read; then one function, the one that
 * the FDE numbered by the first byte covers, is carried over into a patch: its own record (with
 * the highest bit of that byte not) and the one of its displaced instructions. What comes out must
 * be a table that can be read again.
 */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"
#include "differ/unwind_copy.h"
#include "tests/fuzz/lib/input.h"

#define MAX_INPUT      16384
#define DISPLACED_ONLY 0x80

static void check_offset(uint64_t offset, uint64_t start, uint64_t end)
{
	PROMISE(start <= offset && offset <= end);
}

static void read_cie(const uint8_t *data, const struct vg_unwind_cie *cie)
{
	uint64_t start = cie->offset, end = start + cie->bytes;

	check_offset(cie->numbers, start, cie->numbers_end);
	check_offset(cie->numbers_end, start, cie->instructions);
	check_offset(cie->instructions, start, end);
	if (cie->has_lsda)
		check_offset(cie->lsda_encoding_offset, start, end - 1);
	if (cie->has_personality)
		check_offset(cie->personality_offset +
				     vg_unwind_pointer_bytes(cie->personality_encoding),
			     start, end);
	vg_unwind_is_supported(cie);
	fuzz_touch(data + start, cie->bytes);
}

static void read_fde(const uint8_t *data, const struct vg_unwind_fde *fde)
{
	uint64_t start = fde->offset, end = start + fde->bytes;

	PROMISE(fde->cie < start && fde->pointer_bytes);
	check_offset(fde->pc_begin_offset + fde->pointer_bytes, start, end);
	check_offset(fde->pc_range_offset + fde->pointer_bytes, start, end);
	check_offset(fde->lsda_offset ?: start, start, end);
	check_offset(fde->instructions, start, end);
	fuzz_touch(data + start, fde->bytes);
}

/* All records; the field for the start of the code in FDE number `wanted`, or in the last. */
static uint64_t read_all(const uint8_t *data, size_t size, unsigned wanted, bool *whole)
{
	uint64_t next = 0, field = UINT64_MAX, at;
	unsigned number = 0;

	for (at = 0; at < size; at = next) {
		struct vg_unwind_cie cie;
		struct vg_unwind_fde fde;
		bool is_cie;

		if (!vg_unwind_next(data, size, at, &next, &is_cie, &cie, &fde))
			break;
		PROMISE(next > at && next <= size);
		if (is_cie) {
			read_cie(data, &cie);
			continue;
		}
		read_fde(data, &fde);
		if (number++ <= wanted)
			field = fde.pc_begin_offset;
	}
	*whole = size - at == 4; /* the zero at the end of a table */
	return field;
}

/* One function with a new copy and displaced instructions, and its object's .eh_frame. */
struct subject {
	struct vg_arena arena;
	struct vg_target target;
	struct vg_object object;
	struct vg_object_section sections[2], code;
	struct vg_object_reloc reloc;
	struct vg_object_symbol symbol;
	struct vg_item item;
	struct vg_piece piece, displaced;
	struct vg_match match;
	struct vg_pair pair;
	struct vg_change change;
	struct vg_patch_build build;
};

static void prepare(struct subject *subject, const uint8_t *data, size_t size, uint64_t field)
{
	subject->sections[1] = (struct vg_object_section){
		.name = ".eh_frame",
		.data = data,
		.size = size,
		.relocs = &subject->reloc,
		.reloc_count = 1,
	};
	subject->object = (struct vg_object){
		.path = "input.o",
		.file = "input.c",
		.arena = &subject->arena,
		.sections = subject->sections,
		.section_count = 2,
	};
	subject->code = (struct vg_object_section){.name = ".text", .size = 64};
	subject->symbol = (struct vg_object_symbol){.name = "f", .item = &subject->item};
	subject->reloc = (struct vg_object_reloc){.offset = field, .symbol = &subject->symbol};
	subject->item = (struct vg_item){
		.kind = VG_ITEM_FUNCTION,
		.object = &subject->object,
		.section = &subject->code,
		.symbol = &subject->symbol,
		.name = "f",
		.base = "f",
		.source = "f",
		.size = 64,
		.piece = &subject->piece,
		.match = &subject->match,
	};
	subject->piece = (struct vg_piece){
		.pair = &subject->pair, .item = &subject->item, .size = 64, .name = "f"};
	subject->displaced = (struct vg_piece){.size = 12};
	subject->match = (struct vg_match){.item = &subject->item, .bytes = 64};
	subject->pair = (struct vg_pair){.pre = &subject->object, .post = &subject->object};
	subject->change = (struct vg_change){
		.pair = &subject->pair,
		.pre = &subject->item,
		.post = &subject->item,
		.match = &subject->match,
		.piece = &subject->piece,
		.displaced = &subject->displaced,
		.entry_bytes = 6,
		.moves = {{0, 0}, {1, 1}, {4, 8}, {6, 12}},
		.move_count = 4,
	};
	subject->build = (struct vg_patch_build){.arena = &subject->arena,
						 .target = &subject->target,
						 .pairs = &subject->pair,
						 .pair_count = 1};
}

static void carry_over(struct subject *subject)
{
	struct vg_patch_build *build = &subject->build;
	bool whole;

	PROMISE(vg_list_push(build->arena, &build->changes, &subject->change));

	struct vg_error *error = vg_unwind_build(build);

	for (size_t i = 0; !error && i < build->pieces.count; i++) {
		const struct vg_piece *piece = build->pieces.at[i];

		read_all(piece->bytes, piece->size, 0, &whole);
		PROMISE(whole);
		for (size_t f = 0; f < piece->fixes.count; f++)
			PROMISE(piece->fixes.at[f].offset <= piece->size - 4);
	}
	vg_error_free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct subject subject = {0};
	uint64_t field;
	bool whole;

	if (!size || size > MAX_INPUT)
		return 0;
	field = read_all(data + 1, size - 1, data[0] & ~DISPLACED_ONLY, &whole);
	prepare(&subject, data + 1, size - 1, field);
	if (data[0] & DISPLACED_ONLY)
		subject.item.piece = NULL;
	carry_over(&subject);
	vg_arena_clear(&subject.arena);
	return 0;
}
