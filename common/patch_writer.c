/* SPDX-License-Identifier: MIT */
/* Writing a patch object: records are collected by section, laid out, sealed, and parsed again. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_object.h"
#include "common/patch_record.h"

struct buffer {
	uint8_t *bytes;
	size_t used, room;
};

struct vg_patch_writer {
	struct buffer sections[VGP_SECTION_TYPES];
	bool out_of_memory;
};

static void append(struct vg_patch_writer *writer, struct buffer *buffer, const void *bytes,
		   size_t count)
{
	if (buffer->room - buffer->used < count) {
		size_t room = 2 * buffer->room + count;
		uint8_t *grown = realloc(buffer->bytes, room);

		if (!grown) {
			writer->out_of_memory = true;
			return;
		}
		buffer->bytes = grown;
		buffer->room = room;
	}
	if (count)
		memcpy(buffer->bytes + buffer->used, bytes, count);
	buffer->used += count;
}

struct vg_patch_writer *vg_patch_writer_new(void)
{
	struct vg_patch_writer *writer = calloc(1, sizeof(*writer));

	if (writer)
		append(writer, &writer->sections[VGP_STRINGS], "", 1);
	return writer;
}

void vg_patch_writer_free(struct vg_patch_writer *writer)
{
	if (!writer)
		return;
	for (size_t i = 0; i < VGP_SECTION_TYPES; i++)
		free(writer->sections[i].bytes);
	free(writer);
}

uint32_t vg_patch_writer_string(struct vg_patch_writer *writer, const char *string)
{
	struct buffer *strings = &writer->sections[VGP_STRINGS];
	size_t length = strlen(string) + 1;

	/* The tail of an earlier string serves as well as a string of its own. */
	for (size_t i = 0; i + length <= strings->used; i++)
		if (memcmp(strings->bytes + i, string, length) == 0)
			return (uint32_t)i;
	size_t offset = strings->used;
	append(writer, strings, string, length);
	return (uint32_t)offset;
}

uint32_t vg_patch_writer_add(struct vg_patch_writer *writer, enum vgp_section_type type,
			     const void *records, size_t count)
{
	struct buffer *section = &writer->sections[type];
	size_t record = vg_patch_record_bytes(type);
	size_t index = section->used / record;

	append(writer, section, records, count * record);
	return (uint32_t)index;
}

static size_t align8(size_t value)
{
	return (value + 7) & ~(size_t)7;
}

uint32_t vg_patch_writer_contents(struct vg_patch_writer *writer, const void *bytes, size_t count)
{
	static const uint8_t zero[8];
	struct buffer *contents = &writer->sections[VGP_CONTENTS];

	append(writer, contents, zero, align8(contents->used) - contents->used);
	size_t offset = contents->used;
	append(writer, contents, bytes, count);
	return (uint32_t)offset;
}

static size_t section_count(const struct vg_patch_writer *writer)
{
	size_t count = 0;

	for (size_t i = 0; i < VGP_SECTION_TYPES; i++)
		count += writer->sections[i].used != 0;
	return count;
}

static size_t file_bytes(const struct vg_patch_writer *writer)
{
	size_t bytes =
		sizeof(struct vgp_header) + section_count(writer) * sizeof(struct vgp_section);

	for (size_t i = 0; i < VGP_SECTION_TYPES; i++)
		if (writer->sections[i].used)
			bytes = align8(bytes) + writer->sections[i].used;
	return bytes;
}

static void lay_out(const struct vg_patch_writer *writer, uint8_t *bytes)
{
	struct vgp_section *section = (void *)(bytes + sizeof(struct vgp_header));
	size_t offset =
		sizeof(struct vgp_header) + section_count(writer) * sizeof(struct vgp_section);

	for (uint32_t type = 0; type < VGP_SECTION_TYPES; type++) {
		const struct buffer *buffer = &writer->sections[type];

		if (!buffer->used)
			continue;
		offset = align8(offset);
		*section++ = (struct vgp_section){
			.type = type,
			.offset = (uint32_t)offset,
			.bytes = (uint32_t)buffer->used,
		};
		memcpy(bytes + offset, buffer->bytes, buffer->used);
		offset += buffer->used;
	}
}

static void seal(const struct vg_patch_writer *writer, uint16_t flags, uint8_t *bytes, size_t count)
{
	struct vgp_header *header = (void *)bytes;

	*header = (struct vgp_header){
		.version = VGP_VERSION,
		.header_bytes = sizeof(*header),
		.file_bytes = (uint32_t)count,
		.machine = EM_X86_64,
		.flags = flags,
		.section_count = (uint32_t)section_count(writer),
	};
	memcpy(header->magic, VGP_MAGIC, sizeof(header->magic));
	vg_patch_checksum(bytes, count, header->checksum);
}

struct vg_error *vg_patch_writer_finish(struct vg_patch_writer *writer, uint16_t flags,
					uint8_t **bytes_out, size_t *count_out)
{
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = NULL;
	size_t count = file_bytes(writer);

	if (writer->out_of_memory)
		return vg_error_no_memory();
	if (count > VGP_MAX_BYTES)
		return vg_error_new(VG_REFUSED, "the patch would take %zu bytes, more than %u MiB",
				    count, VGP_MAX_BYTES >> 20);
	_cleanup_free_ uint8_t *bytes = calloc(1, count);
	if (!bytes)
		return vg_error_no_memory();
	lay_out(writer, bytes);
	seal(writer, flags, bytes, count);
	VG_TRY(vg_patch_parse(bytes, count, "the patch just built", &patch));
	*bytes_out = vg_take(bytes);
	*count_out = count;
	return NULL;
}
