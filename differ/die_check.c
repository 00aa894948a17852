/* SPDX-License-Identifier: MIT */
/*
 * What libdwarf must not be given. It loads .debug_rnglists and .debug_loclists with .debug_info,
 * and releases a table of theirs twice when its header is damaged (seen in 20210528). So their
 * headers are walked first (DWARF 5, 7.28 and 7.29).
 */
#include "differ/die.h"
#include "differ/dwarf_reader.h"

static bool is_header_sound(struct vg_dwarf_reader *header)
{
	uint64_t version = vg_dwarf_read(header, 2);
	uint64_t address_bytes = vg_dwarf_read(header, 1);
	uint64_t segment_bytes = vg_dwarf_read(header, 1);
	uint64_t offsets = vg_dwarf_read(header, 4);

	return !header->failed && version == 5 && address_bytes == 8 && segment_bytes == 0 &&
	       offsets <= (header->end - header->at) / 4;
}

static bool are_lists_sound(const struct vg_die_sections *sections, const char *name)
{
	const struct vg_die_section *section = vg_die_section_named(sections, name);
	struct vg_dwarf_reader header;

	for (uint64_t at = 0; section && at < section->size;)
		if (!vg_dwarf_next_unit(section->bytes, section->size, &at, &header) ||
		    !is_header_sound(&header))
			return false;
	return true;
}

struct vg_error *vg_dies_are_readable(const struct vg_die_sections *sections, bool *readable)
{
	const struct vg_die_section *lines = vg_die_section_named(sections, ".debug_line");
	const struct vg_die_section *info = vg_die_section_named(sections, ".debug_info");

	*readable = are_lists_sound(sections, ".debug_rnglists") &&
		    are_lists_sound(sections, ".debug_loclists") &&
		    (!lines || vg_die_lines_are_sound(lines->bytes, lines->size));
	if (!info || !*readable)
		return NULL;
	return vg_die_trees_are_sound(info, vg_die_section_named(sections, ".debug_abbrev"),
				      readable);
}
