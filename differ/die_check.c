/* SPDX-License-Identifier: MIT */
/*
 * What libdwarf must not be given. It loads .debug_rnglists and .debug_loclists with .debug_info,
 * and releases a table of theirs twice when its header is damaged (seen in 20210528). So their
 * headers are walked first (DWARF 5, 7.28 and 7.29).
 */
#include <string.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
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

static bool are_lists_sound(const struct vg_elf *elf, const char *name)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = vg_elf_section(elf, name, &shdr);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	uint64_t used;

	if (!scn)
		return true;
	if (!data || !data->d_buf || shdr.sh_flags & SHF_COMPRESSED)
		return false;
	for (uint64_t at = 0; at < data->d_size; at += used)
		if (!is_header_sound((const uint8_t *)data->d_buf + at, data->d_size - at, &used))
			return false;
	return true;
}

bool vg_dies_are_readable(const char *path)
{
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = NULL;
	struct vg_error *error = vg_elf_open(path, &elf);

	vg_error_free(error);
	return !error && are_lists_sound(elf, ".debug_rnglists") &&
	       are_lists_sound(elf, ".debug_loclists");
}
