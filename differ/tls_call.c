/* SPDX-License-Identifier: MIT */
#include "differ/tls_call.h"

#include <string.h>

/* Every way to write a general dynamic call is that long, so that each form fits. */
#define GENERAL_DYNAMIC 16

static const uint8_t thread_pointer[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0};
static const uint8_t lea_offset[] = {0x48, 0x8d, 0x80};
static const uint8_t add_slot[] = {0x48, 0x03, 0x05};

#define PREFIX 0x66 /* operand size: without effect on a move of 64 bits */

static bool is_call(const struct vg_line *line)
{
	return line->reference_count == 1 && (line->instruction.flow == VG_FLOW_CALL ||
					      line->instruction.flow == VG_FLOW_CALL_INDIRECT);
}

static bool begins_call(const struct vg_line *line)
{
	return line->reference_count == 1 && (line->references[0].type == R_X86_64_TLSGD ||
					      line->references[0].type == R_X86_64_TLSLD);
}

void vg_tls_mark(struct vg_line *lines, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		if (!begins_call(&lines[i]) || !is_call(&lines[i + 1]))
			continue;
		lines[i + 1].tls_done = lines[i].instruction.size;
		lines[i].tls_bytes =
			(uint8_t)(lines[i].instruction.size + lines[i + 1].instruction.size);
	}
}

static bool is_block(const uint8_t *code, unsigned bytes)
{
	unsigned prefixes = bytes - sizeof(thread_pointer);

	for (unsigned i = 0; i < prefixes; i++)
		if (code[i] != PREFIX)
			return false;
	return !memcmp(code + prefixes, thread_pointer, sizeof(thread_pointer));
}

enum vg_tls_form vg_tls_form(const uint8_t *code, unsigned bytes)
{
	const uint8_t *second = code + sizeof(thread_pointer);

	if (bytes < sizeof(thread_pointer))
		return VG_TLS_CALL;
	if (bytes != GENERAL_DYNAMIC)
		return is_block(code, bytes) ? VG_TLS_BLOCK : VG_TLS_CALL;
	if (memcmp(code, thread_pointer, sizeof(thread_pointer)) != 0)
		return VG_TLS_CALL;
	if (!memcmp(second, lea_offset, sizeof(lea_offset)))
		return VG_TLS_LOCAL_EXEC;
	return memcmp(second, add_slot, sizeof(add_slot)) ? VG_TLS_CALL : VG_TLS_INITIAL_EXEC;
}

void vg_tls_write(uint8_t *code, unsigned bytes, enum vg_tls_form form)
{
	const uint8_t *second = form == VG_TLS_LOCAL_EXEC ? lea_offset : add_slot;
	unsigned prefixes = form == VG_TLS_BLOCK ? bytes - sizeof(thread_pointer) : 0;

	memset(code, PREFIX, prefixes);
	memcpy(code + prefixes, thread_pointer, sizeof(thread_pointer));
	if (form != VG_TLS_BLOCK)
		memcpy(code + sizeof(thread_pointer), second, sizeof(lea_offset));
}
