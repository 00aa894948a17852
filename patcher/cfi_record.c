/* SPDX-License-Identifier: MIT */
/* Finding the FDE of an address, and reading it with its CIE. */
#include <stdlib.h>
#include <string.h>

#include "patcher/cfi.h"

/* Records walked before giving up, when there is no index. */
#define WALK_MAX 65536

struct record {
	uint64_t address; /* of the length field */
	uint64_t body;	  /* of the byte behind the length field */
	uint64_t end;
};

enum head { HEAD_RECORD, HEAD_END, HEAD_BROKEN };

static bool read_word(const struct cfi_table *table, uint64_t address, void *word, size_t count)
{
	return table->read(table->context, address, word, count);
}

/* The length field: 4 bytes, or 0xffffffff and 8 bytes; zero ends the table. */
static enum head record_head(const struct cfi_table *table, uint64_t address, struct record *record)
{
	uint64_t room = table->eh_frame_end - address;
	uint32_t short_length;
	uint64_t length;

	if (address < table->eh_frame || address >= table->eh_frame_end)
		return HEAD_BROKEN;
	if (room < 4 || !read_word(table, address, &short_length, 4))
		return HEAD_BROKEN;
	record->address = address;
	record->body = address + 4;
	length = short_length;
	if (short_length == UINT32_MAX) {
		if (room < 12 || !read_word(table, address + 4, &length, 8))
			return HEAD_BROKEN;
		record->body = address + 12;
	}
	if (!length)
		return HEAD_END;
	if (length > table->eh_frame_end - record->body || length > CFI_RECORD_MAX)
		return HEAD_BROKEN;
	record->end = record->body + length;
	return HEAD_RECORD;
}

static bool copy_record(const struct cfi_table *table, const struct record *record, uint8_t *copy,
			struct cfi_slice *slice)
{
	*slice = (struct cfi_slice){copy, record->end - record->body, record->body};
	return read_word(table, record->body, copy, slice->count);
}

/* 'z' comes first, then one letter for each piece of augmentation data. */
static bool read_augmentation(struct cfi_cursor *cursor, const char *letters,
			      struct cfi_entry *entry)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'L':
			cfi_fixed(cursor, 1);
			break;
		case 'R':
			entry->pointer_encoding = (uint8_t)cfi_fixed(cursor, 1);
			break;
		case 'P': {
			uint8_t encoding = (uint8_t)cfi_fixed(cursor, 1);
			cfi_pointer(cursor, encoding, 0);
			break;
		}
		case 'S':
			entry->signal_frame = true;
			break;
		default: /* its size is not known, nor what it would change */
			return false;
		}
	}
	return !cursor->bad;
}

static bool read_cie_body(struct cfi_cursor *cursor, struct cfi_entry *entry)
{
	const char *letters = (const char *)cursor->at;
	size_t left = (size_t)(cursor->end - cursor->at);
	size_t length = strnlen(letters, left);

	cfi_block(cursor, length + 1);
	entry->code_align = cfi_uleb(cursor);
	entry->data_align = cfi_sleb(cursor);
	entry->return_register = cfi_uleb(cursor);
	if (cursor->bad || entry->return_register != CFI_RIP)
		return false;
	if (length) {
		uint64_t count = cfi_uleb(cursor);
		struct cfi_slice data = cfi_block(cursor, count);
		struct cfi_cursor inner = cfi_cursor_of(&data);

		if (cursor->bad || letters[0] != 'z' ||
		    !read_augmentation(&inner, letters + 1, entry))
			return false;
	}
	entry->initial = cfi_block(cursor, (uint64_t)(cursor->end - cursor->at));
	return true;
}

static bool read_cie(const struct cfi_table *table, uint64_t address, struct cfi_entry *entry)
{
	struct record record;
	struct cfi_slice slice;

	if (record_head(table, address, &record) != HEAD_RECORD ||
	    !copy_record(table, &record, entry->cie, &slice))
		return false;

	struct cfi_cursor cursor = cfi_cursor_of(&slice);
	uint64_t id = cfi_fixed(&cursor, 4);
	uint64_t version = cfi_fixed(&cursor, 1);

	/* Version 4 is DWARF's own; in .eh_frame only 1 (and, with a ULEB column, 3) is made. */
	if (cursor.bad || id || (version != 1 && version != 3))
		return false;
	entry->pointer_encoding = 0;
	entry->signal_frame = false;
	return read_cie_body(&cursor, entry);
}

/* The CIE and the code range of an FDE. CFI_MISSING: it is a CIE itself. */
static enum cfi_result read_fde_head(const struct cfi_table *table, const struct record *record,
				     struct cfi_entry *entry, struct cfi_cursor *cursor)
{
	struct cfi_slice slice;

	if (!copy_record(table, record, entry->fde, &slice))
		return CFI_BROKEN;
	*cursor = cfi_cursor_of(&slice);

	uint64_t back = cfi_fixed(cursor, 4); /* from this field to the CIE */

	if (cursor->bad)
		return CFI_BROKEN;
	if (!back)
		return CFI_MISSING;
	if (!read_cie(table, record->body - back, entry))
		return CFI_BROKEN;
	entry->start = cfi_pointer(cursor, entry->pointer_encoding, 0);
	entry->end = entry->start + cfi_pointer(cursor, entry->pointer_encoding & 0x0f, 0);
	return cursor->bad || entry->end < entry->start ? CFI_BROKEN : CFI_OK;
}

/* CFI_MISSING: a CIE, or an FDE for other code. */
static enum cfi_result read_fde(const struct cfi_table *table, const struct record *record,
				uint64_t pc, struct cfi_entry *entry)
{
	struct cfi_cursor cursor;
	enum cfi_result result = read_fde_head(table, record, entry, &cursor);

	if (result != CFI_OK)
		return result;
	if (pc < entry->start || pc >= entry->end)
		return CFI_MISSING;
	/* An FDE has augmentation data if its CIE has a 'z': a length and, here, only an LSDA. */
	if (entry->cie[5])
		cfi_block(&cursor, cfi_uleb(&cursor));
	entry->program = cfi_block(&cursor, (uint64_t)(cursor.end - cursor.at));
	return cursor.bad ? CFI_BROKEN : CFI_OK;
}

static enum cfi_result walk(const struct cfi_table *table, uint64_t pc, struct cfi_entry *entry)
{
	uint64_t address = table->eh_frame;

	for (unsigned i = 0; i < WALK_MAX && address < table->eh_frame_end; i++) {
		struct record record;
		enum head head = record_head(table, address, &record);

		if (head == HEAD_END)
			return CFI_MISSING;
		if (head == HEAD_BROKEN)
			return CFI_BROKEN;

		enum cfi_result result = read_fde(table, &record, pc, entry);
		if (result != CFI_MISSING)
			return result;
		address = record.end;
	}
	return address == table->eh_frame_end ? CFI_MISSING : CFI_BROKEN;
}

/* The index: pairs of 4-byte numbers relative to its start, sorted by the first (LSB § 10.6.2). */
struct index {
	uint64_t base, pairs, count;
};

static bool read_index(const struct cfi_table *table, struct index *index)
{
	uint8_t bytes[4 + 8 + 8];
	uint64_t room = table->index_end - table->index;
	struct cfi_slice slice = {bytes, room < sizeof(bytes) ? room : sizeof(bytes), table->index};

	if (!read_word(table, table->index, bytes, slice.count))
		return false;

	struct cfi_cursor cursor = cfi_cursor_of(&slice);
	bool version_is_known = cfi_fixed(&cursor, 1) == 1;
	uint8_t pointer = (uint8_t)cfi_fixed(&cursor, 1);
	uint8_t count = (uint8_t)cfi_fixed(&cursor, 1);
	uint8_t pairs = (uint8_t)cfi_fixed(&cursor, 1);

	cfi_pointer(&cursor, pointer, table->index);
	index->count = cfi_pointer(&cursor, count, table->index);
	index->base = table->index;
	index->pairs = table->index + (uint64_t)(cursor.at - cursor.start);
	if (cursor.bad || !version_is_known || count == CFI_PE_OMIT || pairs != 0x3b)
		return false;
	return index->count <= (table->index_end - index->pairs) / 8;
}

static bool read_pair(const struct cfi_table *table, const struct index *index, uint64_t i,
		      uint64_t *code, uint64_t *record)
{
	int32_t pair[2];

	if (!read_word(table, index->pairs + 8 * i, pair, sizeof(pair)))
		return false;
	*code = index->base + (uint64_t)(int64_t)pair[0];
	*record = index->base + (uint64_t)(int64_t)pair[1];
	return true;
}

/* Binary search for the last pair that starts at or below `pc`. */
static enum cfi_result search(const struct cfi_table *table, const struct index *index, uint64_t pc,
			      uint64_t *found)
{
	uint64_t low = 0, high = index->count, code, record;

	*found = 0;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (!read_pair(table, index, middle, &code, &record))
			return CFI_BROKEN;
		if (code <= pc) {
			*found = record;
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return *found ? CFI_OK : CFI_MISSING;
}

static int by_code(const void *left, const void *right)
{
	const struct cfi_pair *a = left, *b = right;

	return (a->code > b->code) - (a->code < b->code);
}

struct pairs {
	struct cfi_pair *all;
	size_t count, room;
};

static bool add_pair(struct pairs *pairs, uint64_t code, uint64_t record)
{
	if (pairs->count == pairs->room) {
		size_t room = pairs->room ? 2 * pairs->room : 1024;
		struct cfi_pair *grown = reallocarray(pairs->all, room, sizeof(*grown));

		if (!grown)
			return false;
		pairs->all = grown;
		pairs->room = room;
	}
	pairs->all[pairs->count++] = (struct cfi_pair){code, record};
	return true;
}

static bool collect_pairs(const struct cfi_table *table, struct cfi_entry *entry,
			  struct pairs *pairs)
{
	uint64_t address = table->eh_frame;

	while (address < table->eh_frame_end) {
		struct cfi_cursor cursor;
		struct record record;
		enum head head = record_head(table, address, &record);

		if (head != HEAD_RECORD)
			return head == HEAD_END;

		enum cfi_result result = read_fde_head(table, &record, entry, &cursor);
		if (result == CFI_BROKEN ||
		    (result == CFI_OK && !add_pair(pairs, entry->start, address)))
			return false;
		address = record.end;
	}
	return true;
}

struct cfi_pair *cfi_make_pairs(const struct cfi_table *table, size_t *count)
{
	struct cfi_entry *entry = malloc(sizeof(*entry));
	struct pairs pairs = {0};
	bool done = entry && collect_pairs(table, entry, &pairs);

	free(entry);
	if (!done) {
		free(pairs.all);
		return NULL;
	}
	if (pairs.count)
		qsort(pairs.all, pairs.count, sizeof(*pairs.all), by_code);
	*count = pairs.count;
	return pairs.all;
}

static enum cfi_result search_pairs(const struct cfi_table *table, uint64_t pc, uint64_t *found)
{
	size_t low = 0, high = table->pair_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->pairs[middle].code <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low ? table->pairs[low - 1].record : 0;
	return low ? CFI_OK : CFI_MISSING;
}

enum cfi_result cfi_find(const struct cfi_table *table, uint64_t pc, struct cfi_entry *entry)
{
	struct index index;
	struct record record;
	uint64_t address;

	enum cfi_result result;

	if (table->pairs)
		result = search_pairs(table, pc, &address);
	else if (table->index && read_index(table, &index))
		result = search(table, &index, pc, &address);
	else
		return walk(table, pc, entry);
	if (result != CFI_OK)
		return result;
	if (record_head(table, address, &record) != HEAD_RECORD)
		return CFI_BROKEN;
	return read_fde(table, &record, pc, entry);
}
