/* SPDX-License-Identifier: MIT */
/*
 * What libdwarf must not be given. It loads .debug_rnglists and .debug_loclists with .debug_info,
 * and releases a table of theirs twice when its header is damaged (seen in 20210528). So their
 * headers are walked first (DWARF 5, 7.28 and 7.29).
 */
#include <string.h>

#include "differ/die.h"

static bool is_header_sound(const uint8_t *bytes, uint64_t size, uint64_t *bytes_used)
{
	uint32_t length, offsets;
	uint16_t version;

	if (size < 12)
		return false;
	memcpy(&length, bytes, 4);
	memcpy(&version, bytes + 4, 2);
	memcpy(&offsets, bytes + 8, 4);
	/* 64-bit DWARF (length 0xffffffff) comes from no compiler that is supported. */
	if (length < 8 || length > size - 4 || version != 5 || bytes[6] != 8 || bytes[7] != 0 ||
	    offsets > (length - 8) / 4)
		return false;
	*bytes_used = 4 + (uint64_t)length;
	return true;
}

static bool are_lists_sound(const struct vg_die_sections *sections, const char *name)
{
	const struct vg_die_section *section = vg_die_section_named(sections, name);
	uint64_t used;

	for (uint64_t at = 0; section && at < section->size; at += used)
		if (!is_header_sound(section->bytes + at, section->size - at, &used))
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
