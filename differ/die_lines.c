/* SPDX-License-Identifier: MIT */
/*
 * May libdwarf read the names of files from .debug_line? For a file in a directory one behind the
 * last it reads behind its table of directories (seen in 20210528), for one in a table without any
 * too. So the headers are walked first (DWARF 5, 6.2.4).
 */
#include "differ/die.h"
#include "differ/dwarf_form.h"

/* One of the two lists of a header: what each entry holds, and how many there are. */
struct entries {
	uint64_t types[UINT8_MAX], forms[UINT8_MAX];
	uint64_t format_count, count;
};

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
			uint64_t value = vg_dwarf_read_form(reader, entries->forms[k], 5);

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
	vg_dwarf_skip(reader, 1 + 1 + 4 + 1 + 1 + 1 + 1 + 1); /* address_size to line_range */
	vg_dwarf_skip(reader, vg_dwarf_read(reader, 1) - 1);  /* standard_opcode_lengths */
	return are_entries_sound(reader, &directories, UINT64_MAX) &&
	       are_entries_sound(reader, &files, directories.count);
}

bool vg_die_lines_are_sound(const uint8_t *bytes, uint64_t size)
{
	struct vg_dwarf_reader unit;

	for (uint64_t at = 0; at < size;)
		if (!vg_dwarf_next_unit(bytes, size, &at, &unit) || !is_header_sound(&unit))
			return false;
	return true;
}
