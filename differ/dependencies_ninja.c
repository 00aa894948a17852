/* SPDX-License-Identifier: MIT */
/*
 * .ninja_deps, little-endian, versions 3 and 4 (ninja 1.5 on):
 *
 *   "# ninjadeps\n", u32 version
 *   records: u32 size, its top bit set for dependencies
 *     path:         name, padded with NUL to 4 bytes; u32 ~index
 *     dependencies: u32 output, mtime (version 3: u32 seconds, 4: u64 nanoseconds), u32 inputs[]
 *
 * Read here rather than by `ninja -t deps`, which may rewrite the log while it loads it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/dependencies.h"

#define SIGNATURE     "# ninjadeps\n"
#define IS_DEPS	      0x80000000u
#define NS_PER_SECOND 1000000000u

struct reader {
	const uint8_t *at, *end;
	uint32_t version;
	size_t capacity; /* of log->records */
	struct vg_ninja_log *log;
};

static uint32_t word_at(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static struct vg_error *grow_records(struct reader *reader)
{
	struct vg_ninja_log *log = reader->log;

	if (log->paths.count < reader->capacity)
		return NULL;

	size_t capacity = reader->capacity ? reader->capacity * 2 : 256;
	struct vg_ninja_record *records = reallocarray(log->records, capacity, sizeof(*records));

	if (!records)
		return vg_error_no_memory();
	memset(records + reader->capacity, 0, (capacity - reader->capacity) * sizeof(*records));
	log->records = records;
	reader->capacity = capacity;
	return NULL;
}

static struct vg_error *read_path(struct reader *reader, uint32_t size, bool *good)
{
	size_t length = size < 4 ? 0 : strnlen((const char *)reader->at, size - 4);

	*good = length && word_at(reader->at + size - 4) == ~(uint32_t)reader->log->paths.count;
	if (!*good)
		return NULL;
	VG_TRY(grow_records(reader));
	vg_words_take(&reader->log->paths, strndup((const char *)reader->at, length));
	return vg_words_check(&reader->log->paths);
}

static bool are_known(const struct reader *reader, const uint8_t *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (word_at(at + 4 * i) >= reader->log->paths.count)
			return false;
	return true;
}

static struct vg_error *read_dependencies(struct reader *reader, uint32_t size, bool *good)
{
	size_t head = reader->version == 4 ? 12 : 8, count = size < head ? 0 : (size - head) / 4;

	*good = size >= head && are_known(reader, reader->at, 1) &&
		are_known(reader, reader->at + head, count);
	if (!*good)
		return NULL;

	uint32_t output = word_at(reader->at);
	uint32_t *inputs = calloc(count + 1, sizeof(*inputs));
	struct vg_ninja_record *record = &reader->log->records[output];

	if (!inputs)
		return vg_error_no_memory();
	memcpy(inputs, reader->at + head, count * sizeof(*inputs));
	free(record->inputs);
	*record = (struct vg_ninja_record){
		.output = reader->log->paths.items[output],
		.inputs = inputs,
		.input_count = count,
		.mtime = reader->version == 4
				 ? word_at(reader->at + 4) | (uint64_t)word_at(reader->at + 8) << 32
				 : (uint64_t)word_at(reader->at + 4) * NS_PER_SECOND,
	};
	return NULL;
}

static int by_output(const void *a, const void *b)
{
	const struct vg_ninja_record *const *left = a, *const *right = b;

	return strcmp((*left)->output, (*right)->output);
}

static struct vg_error *sort_records(struct vg_ninja_log *log)
{
	log->sorted = calloc(log->paths.count + 1, sizeof(struct vg_ninja_record *));
	if (!log->sorted)
		return vg_error_no_memory();
	for (size_t i = 0; i < log->paths.count; i++)
		if (log->records[i].output)
			log->sorted[log->sorted_count++] = &log->records[i];
	qsort(log->sorted, log->sorted_count, sizeof(struct vg_ninja_record *), by_output);
	return NULL;
}

struct vg_error *vg_ninja_log_parse(const void *bytes, size_t size, struct vg_ninja_log *log)
{
	struct reader reader = {.at = bytes, .end = (const uint8_t *)bytes + size, .log = log};
	size_t head = strlen(SIGNATURE) + 4;
	bool good = true;

	*log = (struct vg_ninja_log){0};
	if (size < head || memcmp(bytes, SIGNATURE, strlen(SIGNATURE)))
		return NULL;
	reader.version = word_at(reader.at + strlen(SIGNATURE));
	reader.at += head;
	if (reader.version != 3 && reader.version != 4)
		return NULL;
	while (good && reader.end - reader.at >= 4) {
		uint32_t word = word_at(reader.at), length = word & ~IS_DEPS;

		reader.at += 4;
		if (length > (size_t)(reader.end - reader.at))
			break;
		if (word & IS_DEPS)
			VG_TRY(read_dependencies(&reader, length, &good));
		else
			VG_TRY(read_path(&reader, length, &good));
		reader.at += length;
	}
	return sort_records(log);
}

const struct vg_ninja_record *vg_ninja_log_find(const struct vg_ninja_log *log, const char *output)
{
	size_t low = 0, high = log->sorted_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(output, log->sorted[middle]->output);

		if (!order)
			return log->sorted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

void vg_ninja_log_clear(struct vg_ninja_log *log)
{
	for (size_t i = 0; i < log->paths.count; i++)
		free(log->records[i].inputs);
	free(log->records);
	free(log->sorted);
	vg_words_clear(&log->paths);
	*log = (struct vg_ninja_log){0};
}
