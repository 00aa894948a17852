/* SPDX-License-Identifier: MIT */
/*
 * May libdwarf read the names of files from .debug_line? For a file in a directory one behind the
 * last it reads behind its table of directories (seen in 20210528), for one in a table without any
 * too. So the headers are walked first (DWARF 5, 6.2.4).
 */
#include "differ/die.h"
#include "differ/dwarf_reader.h"

#define UNIT_LENGTH_BYTES 4

/* One of the two lists of a header: what each entry holds, and how many there are. */
struct entries {
	uint64_t types[UINT8_MAX], forms[UINT8_MAX];
	uint64_t format_count, count;
};

static void skip(struct vg_dwarf_reader *reader, uint64_t bytes)
{
	if (bytes > reader->end - reader->at)
		reader->failed = true;
	else
		reader->at += bytes;
}

static void skip_text(struct vg_dwarf_reader *reader)
{
	while (vg_dwarf_read(reader, 1) && !reader->failed)
		;
}

/* The value, if it is a number that counts something; forms as in 7.5.6. */
static uint64_t read_form(struct vg_dwarf_reader *reader, uint64_t form)
{
	switch (form) {
	case DW_FORM_data1:
		return vg_dwarf_read(reader, 1);
	case DW_FORM_data2:
		return vg_dwarf_read(reader, 2);
	case DW_FORM_data4:
	case DW_FORM_strp:
	case DW_FORM_line_strp:
		return vg_dwarf_read(reader, 4);
	case DW_FORM_data8:
		return vg_dwarf_read(reader, 8);
	case DW_FORM_udata:
		return vg_dwarf_read_leb(reader);
	case DW_FORM_data16:
		skip(reader, 16);
		break;
	case DW_FORM_block:
		skip(reader, vg_dwarf_read_leb(reader));
		break;
	case DW_FORM_string:
		skip_text(reader);
		break;
	default:
		reader->failed = true;
	}
	return 0;
}

static void read_formats(struct vg_dwarf_reader *reader, struct entries *entries)
{
	entries->format_count = vg_dwarf_read(reader, 1);
	for (uint64_t i = 0; i < entries->format_count; i++) {
		entries->types[i] = vg_dwarf_read_leb(reader);
		entries->forms[i] = vg_dwarf_read_leb(reader);
	}
	entries->count = vg_dwarf_read_leb(reader);
}

/* Is every entry there, and in one of so many directories? One that names none is in the first. */
static bool are_entries_sound(struct vg_dwarf_reader *reader, struct entries *entries,
			      uint64_t directories)
{
	read_formats(reader, entries);
	if (entries->count && (!entries->format_count || !directories))
		return false;
	for (uint64_t i = 0; i < entries->count && !reader->failed; i++)
		for (uint64_t k = 0; k < entries->format_count; k++) {
			uint64_t value = read_form(reader, entries->forms[k]);

			if (entries->types[k] == DW_LNCT_directory_index && value >= directories)
				return false;
		}
	return !reader->failed;
}

/* From the version on. Older ones have lists that end with an empty name; libdwarf minds that. */
static bool is_header_sound(struct vg_dwarf_reader *reader)
{
	struct entries directories, files;

	if (vg_dwarf_read(reader, 2) != 5)
		return !reader->failed;
	skip(reader, 1 + 1 + 4 + 1 + 1 + 1 + 1 + 1); /* address_size to line_range */
	skip(reader, vg_dwarf_read(reader, 1) - 1);  /* standard_opcode_lengths */
	return are_entries_sound(reader, &directories, UINT64_MAX) &&
	       are_entries_sound(reader, &files, directories.count);
}

bool vg_die_lines_are_sound(const uint8_t *bytes, uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		struct vg_dwarf_reader reader = {.data = bytes, .at = at, .end = size};
		uint64_t length = vg_dwarf_read(&reader, UNIT_LENGTH_BYTES);

		/* Nor is 64-bit DWARF: no compiler that is supported makes it. */
		if (reader.failed || length > size - at - UNIT_LENGTH_BYTES)
			return false;
		at += UNIT_LENGTH_BYTES + length;
		reader.end = at;
		if (!is_header_sound(&reader))
			return false;
	}
	return true;
}
