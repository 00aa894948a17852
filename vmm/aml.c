/* SPDX-License-Identifier: MIT */
#include "vmm/aml.h"

#include <string.h>

/* ACPI 6.4 §20.2.2 to §20.2.5, by the names that they have there */
#define ZERO_OP	      0x00
#define ONE_OP	      0x01
#define NAME_OP	      0x08
#define BYTE_PREFIX   0x0a
#define DWORD_PREFIX  0x0c
#define STRING_PREFIX 0x0d
#define SCOPE_OP      0x10
#define BUFFER_OP     0x11
#define PACKAGE_OP    0x12
#define EXT_OP_PREFIX 0x5b
#define DEVICE_OP     0x82
#define ROOT_CHAR     '\\'

#define NAME_SEG 4 /* §20.2.2: a NameSeg's characters */

/* Resource descriptors, §6.4.2 (small) and §6.4.3 (large) */
#define SMALL_IO_PORT	   0x47 /* §6.4.2.5, 7 bytes follow */
#define IO_PORT_DECODE_16  0x01
#define SMALL_END_TAG	   0x79 /* §6.4.2.9, a checksum follows; 0: none */
#define LARGE_MEMORY_32	   0x86 /* §6.4.3.4, 9 bytes follow the length */
#define MEMORY_WRITABLE	   0x01
#define LARGE_INTERRUPT	   0x89 /* §6.4.3.6, 2 bytes and the numbers follow the length */
#define INTERRUPT_CONSUMER 0x01
#define INTERRUPT_EDGE	   0x02 /* the polarity's bit 2 stays 0: active high */

/*
 * §20.2.4: a package's length counts itself. Three bytes are always enough for us and may always
 * be used: two bits say how many follow the first, which has the lowest four bits of the length.
 */
#define LENGTH_BYTES   3
#define LENGTH_FOLLOWS (2 << 6)

static void put(struct aml *aml, const void *bytes, size_t size)
{
	if (size > aml->size - aml->used) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->bytes + aml->used, bytes, size);
	aml->used += size;
}

static void put_byte(struct aml *aml, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	put(aml, &byte, sizeof(byte));
}

static void put_word(struct aml *aml, unsigned value)
{
	put_byte(aml, value);
	put_byte(aml, value >> 8);
}

static void put_dword(struct aml *aml, uint32_t value)
{
	put_word(aml, value & 0xffff);
	put_word(aml, value >> 16);
}

static void put_name(struct aml *aml, const char *name)
{
	put_byte(aml, NAME_OP);
	put(aml, name, NAME_SEG);
}

/* §20.2.3 */
static void put_integer(struct aml *aml, uint32_t value)
{
	if (value <= 1) {
		put_byte(aml, value ? ONE_OP : ZERO_OP);
	} else if (value <= UINT8_MAX) {
		put_byte(aml, BYTE_PREFIX);
		put_byte(aml, value);
	} else {
		put_byte(aml, DWORD_PREFIX);
		put_dword(aml, value);
	}
}

static size_t begin_length(struct aml *aml)
{
	size_t mark = aml->used;

	put(aml, "\0\0", LENGTH_BYTES);
	return mark;
}

void aml_end(struct aml *aml, size_t mark)
{
	size_t length = aml->used - mark;

	if (aml->overflow)
		return;
	aml->bytes[mark] = (uint8_t)(LENGTH_FOLLOWS | (length & 0xf));
	aml->bytes[mark + 1] = (uint8_t)(length >> 4);
	aml->bytes[mark + 2] = (uint8_t)(length >> 12);
}

size_t aml_begin_scope(struct aml *aml, const char *root_name)
{
	put_byte(aml, SCOPE_OP);

	size_t mark = begin_length(aml);

	put_byte(aml, ROOT_CHAR);
	put(aml, root_name, NAME_SEG);
	return mark;
}

size_t aml_begin_device(struct aml *aml, const char *name)
{
	put_byte(aml, EXT_OP_PREFIX);
	put_byte(aml, DEVICE_OP);

	size_t mark = begin_length(aml);

	put(aml, name, NAME_SEG);
	return mark;
}

void aml_name_integer(struct aml *aml, const char *name, uint32_t value)
{
	put_name(aml, name);
	put_integer(aml, value);
}

void aml_name_string(struct aml *aml, const char *name, const char *text)
{
	put_name(aml, name);
	put_byte(aml, STRING_PREFIX);
	put(aml, text, strlen(text) + 1);
}

void aml_name_package(struct aml *aml, const char *name, const uint8_t *values, uint8_t count)
{
	put_name(aml, name);
	put_byte(aml, PACKAGE_OP);

	size_t mark = begin_length(aml);

	put_byte(aml, count);
	for (unsigned i = 0; i < count; i++)
		put_integer(aml, values[i]);
	aml_end(aml, mark);
}

/* §20.2.5.4: a buffer says its size in front of its bytes; a byte is filled in at the end. */
size_t aml_begin_resources(struct aml *aml)
{
	put_name(aml, "_CRS");
	put_byte(aml, BUFFER_OP);

	size_t mark = begin_length(aml);

	put_byte(aml, BYTE_PREFIX);
	put_byte(aml, 0);
	return mark;
}

void aml_end_resources(struct aml *aml, size_t mark)
{
	size_t first = mark + LENGTH_BYTES + 2;

	put_byte(aml, SMALL_END_TAG);
	put_byte(aml, 0);
	if (aml->used - first > UINT8_MAX)
		aml->overflow = true;
	if (!aml->overflow)
		aml->bytes[first - 1] = (uint8_t)(aml->used - first);
	aml_end(aml, mark);
}

void aml_memory(struct aml *aml, uint32_t address, uint32_t size)
{
	put_byte(aml, LARGE_MEMORY_32);
	put_word(aml, 9);
	put_byte(aml, MEMORY_WRITABLE);
	put_dword(aml, address);
	put_dword(aml, size);
}

void aml_ports(struct aml *aml, uint16_t port, uint8_t count)
{
	put_byte(aml, SMALL_IO_PORT);
	put_byte(aml, IO_PORT_DECODE_16);
	put_word(aml, port); /* the lowest base that it can have */
	put_word(aml, port); /* and the highest */
	put_byte(aml, 1);    /* alignment */
	put_byte(aml, count);
}

void aml_interrupt(struct aml *aml, uint32_t number)
{
	put_byte(aml, LARGE_INTERRUPT);
	put_word(aml, 6);
	put_byte(aml, INTERRUPT_CONSUMER | INTERRUPT_EDGE);
	put_byte(aml, 1); /* how many numbers */
	put_dword(aml, number);
}
