/* SPDX-License-Identifier: MIT */
#include "patcher/cfi.h"

struct cfi_cursor cfi_cursor_of(const struct cfi_slice *slice)
{
	return (struct cfi_cursor){
		.start = slice->bytes,
		.at = slice->bytes,
		.end = slice->bytes + slice->count,
		.address = slice->address,
	};
}

static bool has_bytes(struct cfi_cursor *cursor, uint64_t count)
{
	if (cursor->bad || count > (uint64_t)(cursor->end - cursor->at))
		cursor->bad = true;
	return !cursor->bad;
}

uint64_t cfi_fixed(struct cfi_cursor *cursor, unsigned bytes)
{
	uint64_t value = 0;

	if (!has_bytes(cursor, bytes))
		return 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)cursor->at[i] << (8 * i);
	cursor->at += bytes;
	return value;
}

int64_t cfi_signed(struct cfi_cursor *cursor, unsigned bytes)
{
	uint64_t value = cfi_fixed(cursor, bytes);
	unsigned unused = 64 - 8 * bytes;

	return (int64_t)(value << unused) >> unused;
}

/* Bits of a LEB128 number that lie beyond 64 are dropped, as every other reader does. */
static uint64_t leb(struct cfi_cursor *cursor, bool with_sign)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)cfi_fixed(cursor, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (!cursor->bad && (byte & 0x80));
	if (with_sign && shift < 64 && (byte & 0x40))
		value |= ~UINT64_C(0) << shift;
	return cursor->bad ? 0 : value;
}

uint64_t cfi_uleb(struct cfi_cursor *cursor)
{
	return leb(cursor, false);
}

int64_t cfi_sleb(struct cfi_cursor *cursor)
{
	return (int64_t)leb(cursor, true);
}

struct cfi_slice cfi_block(struct cfi_cursor *cursor, uint64_t count)
{
	struct cfi_slice block = {0};

	if (!has_bytes(cursor, count))
		return block;
	block.bytes = cursor->at;
	block.count = count;
	block.address = cursor->address + (uint64_t)(cursor->at - cursor->start);
	cursor->at += count;
	return block;
}

static uint64_t pointer_value(struct cfi_cursor *cursor, uint8_t format)
{
	switch (format) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		return cfi_fixed(cursor, 8);
	case 0x01:
		return cfi_uleb(cursor);
	case 0x02:
		return cfi_fixed(cursor, 2);
	case 0x03:
		return cfi_fixed(cursor, 4);
	case 0x09:
		return (uint64_t)cfi_sleb(cursor);
	case 0x0a:
		return (uint64_t)cfi_signed(cursor, 2);
	case 0x0b:
		return (uint64_t)cfi_signed(cursor, 4);
	default:
		cursor->bad = true;
		return 0;
	}
}

/*
 * The indirect bit (0x80) is only ever seen on personality routines, whose value nobody here needs:
 * the pointer is not followed.
 */
uint64_t cfi_pointer(struct cfi_cursor *cursor, uint8_t encoding, uint64_t data_base)
{
	uint64_t here = cursor->address + (uint64_t)(cursor->at - cursor->start);
	uint64_t value;

	if (encoding == CFI_PE_OMIT)
		return 0;
	value = pointer_value(cursor, encoding & 0x0f);
	switch (encoding & 0x70) {
	case 0x00:
		return value;
	case 0x10: /* relative to the pointer itself */
		return value + here;
	case 0x30:
		return value + data_base;
	default: /* relative to text or function, aligned: not made for x86-64 */
		cursor->bad = true;
		return 0;
	}
}
