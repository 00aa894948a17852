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

/* With its NUL. */
static inline void vg_dwarf_skip_text(struct vg_dwarf_reader *reader)
{
	while (vg_dwarf_read(reader, 1))
		;
}

#endif
