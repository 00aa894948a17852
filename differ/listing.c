/* SPDX-License-Identifier: MIT */
#include "differ/listing.h"

#include "common/error.h"
#include "differ/tls_call.h"

bool vg_reloc_is_pc_relative(uint32_t type)
{
	switch (type) {
	case R_X86_64_PC8:
	case R_X86_64_PC16:
	case R_X86_64_PC32:
	case R_X86_64_PC64:
	case R_X86_64_PLT32:
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
	case R_X86_64_GOTTPOFF:
	case R_X86_64_TLSGD:
	case R_X86_64_TLSLD:
	case R_X86_64_GOTPC32:
	case R_X86_64_GOTPC32_TLSDESC:
		return true;
	default:
		return false;
	}
}

/*
 * In a mergeable section the linker moves what the symbol stands at, and counts the addend from
 * there (gABI, SHF_MERGE): `.LC1 - 1`, which gcc makes of a loop that begins at the second
 * character, is the byte in front of that string wherever it goes, and not the end of the string
 * that happens to precede it.
 */
static bool counts_from_symbol(const struct vg_object_symbol *symbol)
{
	return symbol->section->flags & SHF_MERGE && symbol->type != STT_SECTION;
}

bool vg_reloc_target(const struct vg_object_reloc *reloc, int64_t bias, struct vg_item **item,
		     int64_t *offset)
{
	const struct vg_object_symbol *symbol = reloc->symbol;
	int64_t value = (int64_t)((uint64_t)reloc->addend + (uint64_t)bias);

	*item = symbol->item;
	*offset = value;
	if (!symbol->section)
		return symbol->item;
	value = (int64_t)((uint64_t)value + symbol->value);
	if (!*item)
		*item = vg_object_item_at(symbol->section, counts_from_symbol(symbol)
								   ? symbol->value
								   : (uint64_t)value);
	if (!*item)
		return false;
	*offset = (int64_t)((uint64_t)value - (*item)->offset);
	return true;
}

static bool is_inside(const struct vg_item *item, int64_t offset)
{
	return offset >= 0 && (uint64_t)offset < item->size;
}

bool vg_entry_target(const struct vg_object_reloc *reloc, int64_t at, struct vg_item **item,
		     int64_t *offset, int64_t *distance)
{
	bool relative = vg_reloc_is_pc_relative(reloc->type);
	struct vg_item *other;
	int64_t other_offset;

	*distance = relative ? -at : 0;
	if (!vg_reloc_target(reloc, *distance, item, offset))
		return false;
	if (!relative || !vg_item_is_function(*item) || is_inside(*item, *offset) ||
	    !vg_reloc_target(reloc, 0, &other, &other_offset) || !is_inside(other, other_offset))
		return true;
	*distance = 0;
	*item = other;
	*offset = other_offset;
	return true;
}

static uint8_t field_bytes(uint32_t type)
{
	switch (type) {
	case R_X86_64_8:
	case R_X86_64_PC8:
		return 1;
	case R_X86_64_16:
	case R_X86_64_PC16:
		return 2;
	case R_X86_64_64:
	case R_X86_64_PC64:
	case R_X86_64_GOTOFF64:
	case R_X86_64_TPOFF64:
	case R_X86_64_DTPOFF64:
		return 8;
	default:
		return 4;
	}
}

/* Relocations that mark an instruction and write nothing. */
static bool is_marker(uint32_t type)
{
	return type == R_X86_64_NONE || type == R_X86_64_TLSDESC_CALL;
}

static bool add_reference(struct vg_line *line, const struct vg_object_reloc *reloc,
			  uint64_t line_offset)
{
	struct vg_reference *reference = &line->references[line->reference_count];
	uint64_t field = reloc->offset - line_offset;
	int64_t bias = 0;

	if (line->reference_count == 2 || field + field_bytes(reloc->type) > line->instruction.size)
		return false;
	if (vg_reloc_is_pc_relative(reloc->type))
		bias = (int64_t)(line->instruction.size - field);
	reference->type = reloc->type;
	reference->field = (uint8_t)field;
	reference->bytes = field_bytes(reloc->type);
	reference->addend = reloc->addend;
	if (!vg_reloc_target(reloc, bias, &reference->item, &reference->offset))
		reference->item = NULL;
	line->reference_count++;
	return true;
}

static bool has_reference_at(const struct vg_line *line, uint8_t field)
{
	for (unsigned i = 0; i < line->reference_count; i++)
		if (line->references[i].field == field)
			return true;
	return false;
}

/* A branch or RIP-relative operand without a relocation stays inside the section. */
static bool add_assembled_reference(struct vg_item *item, struct vg_line *line)
{
	const struct vg_instruction *instruction = &line->instruction;
	uint8_t field = instruction->branch_bytes ? instruction->branch_offset
						  : instruction->displacement_offset;
	uint8_t bytes = instruction->branch_bytes ?: 4;

	if (!(instruction->branch_bytes || instruction->is_rip_relative) ||
	    has_reference_at(line, field))
		return true;
	if (line->reference_count == 2)
		return false;

	struct vg_reference *reference = &line->references[line->reference_count++];
	int64_t offset = (int64_t)instruction->target;

	*reference = (struct vg_reference){.item = item, .field = field, .bytes = bytes};
	if (offset < 0 || (uint64_t)offset >= item->size) {
		uint64_t place = item->offset + (uint64_t)offset;

		if (place > item->section->size)
			return false;
		reference->item = vg_object_item_at(item->section, place);
		offset = (int64_t)(place - reference->item->offset);
	}
	reference->offset = offset;
	return true;
}

static struct vg_error *undecodable(const struct vg_item *item, uint64_t offset)
{
	return vg_error_new(VG_REFUSED,
			    "%s: the code of %s cannot be understood at offset 0x%llx; leave this "
			    "function out of the diff",
			    item->object->file, vg_item_text(item), (unsigned long long)offset);
}

static struct vg_error *decode_lines(struct vg_decoder *decoder, struct vg_listing *listing)
{
	struct vg_item *item = listing->item;
	const uint8_t *bytes = vg_item_bytes(item);
	size_t reloc_count, next = 0;
	struct vg_object_reloc *relocs = vg_item_relocs(item, &reloc_count);

	for (uint64_t at = 0; at < item->size;) {
		struct vg_line *line = &listing->lines[listing->count];

		if (!vg_decode(decoder, bytes + at, item->size - at, at, &line->instruction))
			return undecodable(item, at);
		for (; next < reloc_count &&
		       relocs[next].offset < item->offset + at + line->instruction.size;
		     next++)
			if (!is_marker(relocs[next].type) &&
			    !add_reference(line, &relocs[next], item->offset + at))
				return undecodable(item, at);
		if (!add_assembled_reference(item, line))
			return undecodable(item, at);
		line->ordinal = listing->ordinals;
		listing->ordinals += !line->instruction.is_padding;
		listing->count++;
		at += line->instruction.size;
	}
	return NULL;
}

struct vg_error *vg_listing_get(struct vg_decoder *decoder, struct vg_item *item,
				struct vg_listing **listing)
{
	*listing = item->listing;
	if (*listing)
		return NULL;
	if (item->is_undecodable || !vg_item_bytes(item))
		return undecodable(item, 0);
	item->is_undecodable = true;

	struct vg_listing *made = vg_arena_alloc(item->object->arena, 1, sizeof(*made));

	if (!made)
		return vg_error_no_memory();
	made->item = item;
	made->lines = vg_arena_alloc(item->object->arena, item->size + 1, sizeof(*made->lines));
	if (!made->lines)
		return vg_error_no_memory();
	VG_TRY(decode_lines(decoder, made));
	vg_tls_mark(made->lines, made->count);
	item->is_undecodable = false;
	*listing = item->listing = made;
	return NULL;
}

static size_t line_index(const struct vg_listing *listing, uint64_t offset)
{
	size_t low = 0, high = listing->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listing->lines[middle].instruction.address < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct vg_line *vg_listing_line(const struct vg_listing *listing, uint64_t offset)
{
	size_t index = line_index(listing, offset);

	if (index == listing->count || listing->lines[index].instruction.address != offset)
		return NULL;
	return &listing->lines[index];
}

size_t vg_listing_ordinal(const struct vg_listing *listing, int64_t offset)
{
	if (offset == (int64_t)listing->item->size)
		return listing->ordinals;
	if (offset < 0)
		return SIZE_MAX;

	const struct vg_line *line = vg_listing_line(listing, (uint64_t)offset);

	return line ? line->ordinal : SIZE_MAX;
}
