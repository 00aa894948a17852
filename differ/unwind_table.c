/* SPDX-License-Identifier: MIT */
#include "differ/unwind_table.h"

#include <libdwarf/dwarf.h>

#include "differ/dwarf_reader.h"

unsigned vg_unwind_pointer_bytes(uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		return 2;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	default:
		return 0;
	}
}

static void read_personality(struct vg_dwarf_reader *reader, struct vg_unwind_cie *cie)
{
	cie->has_personality = true;
	cie->personality_encoding_offset = reader->at;
	cie->personality_encoding = (uint8_t)vg_dwarf_read(reader, 1);
	cie->personality_offset = reader->at;
	vg_dwarf_read(reader, vg_unwind_pointer_bytes(cie->personality_encoding));
}

static void read_augmentation(struct vg_dwarf_reader *reader, const char *text,
			      struct vg_unwind_cie *cie)
{
	uint64_t end = vg_dwarf_read_leb(reader);

	end += reader->at;
	cie->has_augmentation = true;
	for (text++; *text && !reader->failed; text++) {
		switch (*text) {
		case 'R':
			cie->encoding = (uint8_t)vg_dwarf_read(reader, 1);
			break;
		case 'L':
			cie->has_lsda = true;
			cie->lsda_encoding_offset = reader->at;
			cie->lsda_encoding = (uint8_t)vg_dwarf_read(reader, 1);
			break;
		case 'P':
			read_personality(reader, cie);
			break;
		case 'S':
		case 'B':
			break;
		default: /* cannot know what follows */
			reader->failed = true;
		}
	}
	if (end > reader->end || end < reader->at)
		reader->failed = true;
	else
		reader->at = end;
}

static bool read_cie(struct vg_dwarf_reader *reader, struct vg_unwind_cie *cie)
{
	uint64_t version = vg_dwarf_read(reader, 1);
	const char *text = (const char *)reader->data + reader->at;

	vg_dwarf_skip_text(reader);
	if (reader->failed || (version != 1 && version != 3))
		return false;
	cie->numbers = reader->at;
	cie->code_align = vg_dwarf_read_leb(reader);
	vg_dwarf_read_leb(reader); /* data alignment, signed; its length is the same */
	if (version == 1)
		vg_dwarf_read(reader, 1);
	else
		vg_dwarf_read_leb(reader);
	cie->numbers_end = reader->at;
	if (*text == 'z')
		read_augmentation(reader, text, cie);
	else if (*text)
		return false;
	cie->instructions = reader->at;
	return !reader->failed;
}

static bool is_cie_at(const uint8_t *data, size_t size, uint64_t offset)
{
	uint32_t id;

	if (size < 8 || offset > size - 8)
		return false;
	memcpy(&id, data + offset + 4, 4);
	return !id;
}

static bool read_fde(struct vg_dwarf_reader *reader, const uint8_t *data, size_t size,
		     struct vg_unwind_fde *fde)
{
	struct vg_unwind_cie cie;
	struct vg_unwind_fde unused;
	uint64_t next;
	bool is_cie;

	/* Only a record in front of this one may be its CIE, and nothing else is read there: a
	 * chain of FDEs that name each other would take a stack without end. */
	if (fde->cie >= fde->offset || !is_cie_at(data, size, fde->cie) ||
	    !vg_unwind_next(data, size, fde->cie, &next, &is_cie, &cie, &unused))
		return false;
	fde->pointer_bytes = vg_unwind_pointer_bytes(cie.encoding);
	fde->pc_begin_offset = reader->at;
	vg_dwarf_read(reader, fde->pointer_bytes);
	fde->pc_range_offset = reader->at;
	vg_dwarf_read(reader, fde->pointer_bytes);
	if (cie.has_augmentation) {
		uint64_t skip = vg_dwarf_read_leb(reader);

		if (skip > reader->end - reader->at)
			return false;
		if (cie.has_lsda && skip >= vg_unwind_pointer_bytes(cie.lsda_encoding))
			fde->lsda_offset = reader->at;
		reader->at += skip;
	}
	fde->instructions = reader->at;
	return !reader->failed && fde->pointer_bytes;
}

bool vg_unwind_next(const uint8_t *data, size_t size, uint64_t offset, uint64_t *next, bool *is_cie,
		    struct vg_unwind_cie *cie, struct vg_unwind_fde *fde)
{
	struct vg_dwarf_reader reader = {.data = data, .at = offset, .end = size};

	if (offset > size)
		return false;

	uint64_t length = vg_dwarf_read(&reader, 4);

	/* 0xffffffff begins records over 4 GiB, which no linker makes: beyond the end as well. */
	if (reader.failed || length < 4 || length > size - reader.at)
		return false;
	reader.end = reader.at + length;
	*next = reader.end;

	uint64_t id_at = reader.at, id = vg_dwarf_read(&reader, 4);

	*is_cie = !id;
	if (*is_cie) {
		*cie = (struct vg_unwind_cie){.offset = offset, .bytes = *next - offset};
		return read_cie(&reader, cie);
	}
	*fde = (struct vg_unwind_fde){.offset = offset, .bytes = *next - offset};
	if (id > id_at)
		return false;
	fde->cie = id_at - id;
	return read_fde(&reader, data, size, fde);
}
