/* SPDX-License-Identifier: MIT */
/*
 * Numbers of debug information, read one after the other (DWARF 5, 7.6). What would lie behind
 * the end reads as 0 and is remembered in `failed`; nothing is read after that.
 */
#ifndef DIFFER_DWARF_READER_H
#define DIFFER_DWARF_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct vg_dwarf_reader {
	const uint8_t *data;
	uint64_t at, end;
	bool failed;
};

/* Up to 8 bytes, little-endian. */
static inline uint64_t vg_dwarf_read(struct vg_dwarf_reader *reader, unsigned count)
{
	uint64_t value = 0;

	if (reader->failed || reader->end - reader->at < count) {
		reader->failed = true;
		return 0;
	}
	memcpy(&value, reader->data + reader->at, count);
	reader->at += count;
	return value;
}

/* ULEB128; an SLEB128 that is only skipped has the same length. */
static inline uint64_t vg_dwarf_read_leb(struct vg_dwarf_reader *reader)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;

	do {
		byte = vg_dwarf_read(reader, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !reader->failed);
	return value;
}

static inline void vg_dwarf_skip(struct vg_dwarf_reader *reader, uint64_t bytes)
{
	if (bytes > reader->end - reader->at)
		reader->failed = true;
	else
		reader->at += bytes;
}

/*
 * What begins with its own length (7.2.2), in a section that consists of such units: sets *at to
 * the next one, and the reader to what stands behind the length. False: it is not whole, or 64-bit
 * DWARF, which comes from no compiler that is supported.
 */
static inline bool vg_dwarf_next_unit(const uint8_t *bytes, uint64_t size, uint64_t *at,
				      struct vg_dwarf_reader *unit)
{
	uint64_t length;

	*unit = (struct vg_dwarf_reader){.data = bytes, .at = *at, .end = size};
	length = vg_dwarf_read(unit, 4);
	if (unit->failed || length > size - unit->at)
		return false;
	*at = unit->end = unit->at + length;
	return true;
}

/* With its NUL. */
static inline void vg_dwarf_skip_text(struct vg_dwarf_reader *reader)
{
	while (vg_dwarf_read(reader, 1))
		;
}

#endif
