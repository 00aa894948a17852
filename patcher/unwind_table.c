/* SPDX-License-Identifier: MIT */
#include "patcher/unwind_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/cfi.h"
#include "patcher/stub.h"

#define CIE_BYTES	 24
#define STUB_FDE_BYTES	 40
#define FIND_FDE_BYTES	 24
#define HEAD_BYTES	 12	      /* of .eh_frame_hdr, before the pairs */
#define END_BYTES	 8	      /* the zero length, padded */
#define COUNTING_ADDRESS (1ull << 32) /* any: only the number of FDEs is asked for */

/* DW_EH_PE_* (LSB 5.0, ch. 10.5.1) and DW_CFA_* (DWARF 5, 7.24) */
#define UDATA4		     0x03
#define PCREL_SDATA4	     0x1b
#define DATAREL_SDATA4	     0x3b
#define ADVANCE(n)	     (0x40 | (n))
#define CFA_OFFSET(n)	     0x0e, (n)
#define RETURN_ADDRESS_SAVED 0x90, 1 /* at CFA + 1 * data alignment factor */

/* ---- find_object */

static const uint8_t find_object_code[] = {
	0xf3, 0x0f, 0x1e, 0xfa,			  /* 0 */
	0x48, 0x8d, 0x05, 0,	0, 0, 0,	  /* 4: lea start, %rax */
	0x48, 0x89, 0xf9,			  /* 11 */
	0x48, 0x29, 0xc1,			  /* 14 */
	0x48, 0x81, 0xf9, 0,	0, 0, 0,	  /* 17: cmp $bytes, %rcx */
	0x73, 56,				  /* 24: to 82 */
	0x56,					  /* 26 */
	0x48, 0xbf, 0,	  0,	0, 0, 0, 0, 0, 0, /* 27: movabs $module, %rdi */
	0xff, 0x15, 0,	  0,	0, 0,		  /* 37: call *next */
	0x5e,					  /* 43 */
	0x85, 0xc0,				  /* 44 */
	0x75, 33,				  /* 46: to 81 */
	0x48, 0x8d, 0x0d, 0,	0, 0, 0,	  /* 48: lea start, %rcx */
	0x48, 0x89, 0x4e, 8,			  /* 55 */
	0x48, 0x8d, 0x0d, 0,	0, 0, 0,	  /* 59: lea end, %rcx */
	0x48, 0x89, 0x4e, 16,			  /* 66 */
	0x48, 0x8d, 0x0d, 0,	0, 0, 0,	  /* 70: lea index, %rcx */
	0x48, 0x89, 0x4e, 32,			  /* 77 */
	0xc3,					  /* 81 */
	0xff, 0x25, 0,	  0,	0, 0,		  /* 82: jmp *next */
};
#define FIND_PUSHED 27
#define FIND_POPPED 44

static_assert(sizeof(find_object_code) == 88, "the jumps above count on it");
static_assert(sizeof(find_object_code) <= VG_FIND_OBJECT_BYTES, "room for the code");

/* A displacement at `at` that leads to `target`; it ends its instruction. */
static void put_displacement(uint8_t *code, uint64_t address, size_t at, uint64_t target)
{
	int32_t displacement = (int32_t)(target - (address + at + 4));

	memcpy(code + at, &displacement, sizeof(displacement));
}

static void put_find_object(const struct vg_unwind_table *table, uint8_t *code)
{
	uint32_t bytes = (uint32_t)(table->code_end - table->stubs);
	uint64_t address = table->address;

	memset(code, 0xcc, VG_FIND_OBJECT_BYTES);
	memcpy(code, find_object_code, sizeof(find_object_code));
	memcpy(code + 20, &bytes, sizeof(bytes));
	memcpy(code + 29, &table->module, sizeof(table->module));
	put_displacement(code, address, 7, table->stubs);
	put_displacement(code, address, 39, table->next);
	put_displacement(code, address, 51, table->stubs);
	put_displacement(code, address, 62, table->code_end);
	put_displacement(code, address, 73, address + VG_FIND_OBJECT_BYTES);
	put_displacement(code, address, 84, table->next);
}

/* ---- the FDEs of TEXT */

struct text {
	const uint8_t *bytes;
	size_t count;
	uint64_t address;
};

static bool read_text(void *context, uint64_t address, void *buffer, size_t count)
{
	const struct text *text = context;
	uint64_t offset = address - text->address;

	if (offset > text->count || count > text->count - offset)
		return false;
	memcpy(buffer, text->bytes + offset, count);
	return true;
}

static const struct vgp_unwind *find_unwind(const struct vg_patch *patch, unsigned module)
{
	for (size_t i = 0; i < patch->unwind_count; i++)
		if (patch->segments[patch->unwinds[i].segment].module == module)
			return &patch->unwinds[i];
	return NULL;
}

/* Sorted by the address of the code. *pairs is NULL if there are none. */
static struct vg_error *read_pairs(const struct vg_patch *patch, unsigned module,
				   const struct text *text, struct cfi_pair **pairs, size_t *count)
{
	const struct vgp_unwind *unwind = find_unwind(patch, module);
	struct cfi_table table = {.read = read_text, .context = (void *)text};

	*pairs = NULL;
	*count = 0;
	if (!unwind)
		return NULL;
	table.eh_frame = text->address + unwind->offset;
	table.eh_frame_end = table.eh_frame + unwind->bytes;
	*count = SIZE_MAX;
	*pairs = cfi_make_pairs(&table, count);
	if (*count != SIZE_MAX)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "the unwind information of patch %s is damaged; build it again",
			    vg_patch_name(patch));
}

struct vg_error *vg_unwind_count(const struct vg_patch *patch, unsigned module, size_t *records)
{
	const struct vgp_segment *segment = vg_patch_segment(patch, module, VGP_TEXT);
	_cleanup_free_ struct cfi_pair *pairs = NULL;
	struct text text = {.address = COUNTING_ADDRESS};

	*records = 0;
	if (!segment)
		return NULL;
	text.bytes = patch->contents + segment->content_offset;
	text.count = segment->content_bytes;
	return read_pairs(patch, module, &text, &pairs, records);
}

/* ---- .eh_frame of the stubs and of find_object */

static uint64_t index_bytes(size_t functions, size_t records)
{
	return (HEAD_BYTES + 8 * ((uint64_t)functions + 1 + records) + 7) & ~7ull;
}

uint64_t vg_unwind_bytes(size_t functions, size_t records)
{
	return VG_FIND_OBJECT_BYTES + index_bytes(functions, records) + CIE_BYTES +
	       (uint64_t)functions * STUB_FDE_BYTES + FIND_FDE_BYTES + END_BYTES;
}

/* At every entry of these codes the return address is the only thing on the stack. */
static void put_cie(uint8_t *record)
{
	static const uint8_t cie[CIE_BYTES] = {CIE_BYTES - 4,
					       0,
					       0,
					       0,
					       0,
					       0,
					       0,
					       0, /* CIE */
					       1,
					       'z',
					       'R',
					       0,
					       1,
					       0x78 /* -8 */,
					       16,
					       1,
					       PCREL_SDATA4,
					       0x0c /* DW_CFA_def_cfa */,
					       7,
					       8,
					       RETURN_ADDRESS_SAVED};

	memcpy(record, cie, sizeof(cie));
}

/* The rest of the record stays zero: DW_CFA_nop. */
static void put_fde(uint8_t *record, uint64_t address, uint32_t bytes, uint64_t cie, uint64_t code,
		    uint32_t code_bytes, const uint8_t *program, size_t count)
{
	uint32_t words[4] = {bytes - 4, (uint32_t)(address + 4 - cie),
			     (uint32_t)(code - (address + 8)), code_bytes};

	memset(record, 0, bytes);
	memcpy(record, words, sizeof(words));
	/* behind a zero: no augmentation data */
	memcpy(record + sizeof(words) + 1, program, count);
}

/* What pushf and push do in the stub (stub.h). */
static const uint8_t stub_program[] = {ADVANCE(VG_STUB_SELECT + 1),
				       CFA_OFFSET(16),
				       ADVANCE(1),
				       CFA_OFFSET(24),
				       ADVANCE(12),
				       CFA_OFFSET(16),
				       ADVANCE(3),
				       CFA_OFFSET(8),
				       ADVANCE(6),
				       CFA_OFFSET(16),
				       ADVANCE(1),
				       CFA_OFFSET(8)};
static const uint8_t find_program[] = {ADVANCE(FIND_PUSHED), CFA_OFFSET(16),
				       ADVANCE(FIND_POPPED - FIND_PUSHED), CFA_OFFSET(8)};

static_assert(17 + sizeof(stub_program) <= STUB_FDE_BYTES, "room for the program");
static_assert(17 + sizeof(find_program) <= FIND_FDE_BYTES, "room for the program");

/* Fills `pairs` with the FDEs that it makes. */
static void put_frames(const struct vg_unwind_table *table, uint64_t cie, uint8_t *bytes,
		       struct cfi_pair *pairs)
{
	uint64_t at = cie + CIE_BYTES;

	put_cie(bytes);
	for (size_t i = 0; i < table->functions; i++) {
		uint64_t stub = table->stubs + i * VG_STUB_BYTES;

		put_fde(bytes + (at - cie), at, STUB_FDE_BYTES, cie, stub, VG_STUB_BYTES,
			stub_program, sizeof(stub_program));
		pairs[i] = (struct cfi_pair){stub, at};
		at += STUB_FDE_BYTES;
	}
	put_fde(bytes + (at - cie), at, FIND_FDE_BYTES, cie, table->address,
		sizeof(find_object_code), find_program, sizeof(find_program));
	pairs[table->functions] = (struct cfi_pair){table->address, at};
	memset(bytes + (at - cie) + FIND_FDE_BYTES, 0, END_BYTES);
}

/* ---- .eh_frame_hdr */

static int by_code(const void *left, const void *right)
{
	const struct cfi_pair *a = left, *b = right;

	return (a->code > b->code) - (a->code < b->code);
}

static void put_index(uint8_t *index, uint64_t address, uint64_t frames,
		      const struct cfi_pair *pairs, size_t count)
{
	static const uint8_t encodings[] = {1 /* version */, PCREL_SDATA4, UDATA4, DATAREL_SDATA4};
	uint32_t words[2] = {(uint32_t)(frames - (address + 4)), (uint32_t)count};

	memcpy(index, encodings, sizeof(encodings));
	memcpy(index + 4, words, sizeof(words));
	for (size_t i = 0; i < count; i++) {
		uint32_t pair[2] = {(uint32_t)(pairs[i].code - address),
				    (uint32_t)(pairs[i].record - address)};

		memcpy(index + HEAD_BYTES + 8 * i, pair, sizeof(pair));
	}
}

struct vg_error *vg_unwind_write(const struct vg_patch *patch, unsigned module,
				 const struct vg_unwind_table *table, uint8_t *bytes)
{
	_cleanup_free_ struct cfi_pair *pairs = NULL, *all = NULL;
	struct text text = {table->text, table->text_bytes, table->text_address};
	uint64_t index = VG_FIND_OBJECT_BYTES;
	uint64_t frames;
	size_t own = table->functions + 1, count;

	VG_TRY(read_pairs(patch, module, &text, &pairs, &count));
	all = calloc(own + count, sizeof(*all));
	if (!all)
		return vg_error_new(VG_FAILED, "out of memory for the unwind information");
	frames = index + index_bytes(table->functions, count);
	put_find_object(table, bytes);
	put_frames(table, table->address + frames, bytes + frames, all);
	if (count)
		memcpy(all + own, pairs, count * sizeof(*all));
	qsort(all, own + count, sizeof(*all), by_code);
	put_index(bytes + index, table->address + index, table->address + frames, all, own + count);
	return NULL;
}
