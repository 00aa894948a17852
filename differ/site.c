/* SPDX-License-Identifier: MIT */
#include "differ/site.h"

#include <string.h>

#include "differ/tls_call.h"

static uint64_t read_field(const uint8_t *bytes, unsigned count, bool is_signed)
{
	uint64_t value = 0;

	memcpy(&value, bytes, count);
	if (is_signed && count < 8 && value >> (8 * count - 1))
		value |= ~UINT64_C(0) << (8 * count);
	return value;
}

static bool is_slot_load(uint32_t type)
{
	return type == R_X86_64_GOTPCREL || type == R_X86_64_GOTPCRELX ||
	       type == R_X86_64_REX_GOTPCRELX || type == R_X86_64_GOTTPOFF;
}

/* What an unrewritten field says. False: a type that nothing can be read from. */
static bool read_plain(const struct vg_line *line, const struct vg_reference *reference,
		       const uint8_t *target, uint64_t address, struct vg_site_value *value)
{
	uint64_t next = address + line->instruction.size;
	uint64_t field = read_field(target + reference->field, reference->bytes,
				    reference->type != R_X86_64_32);

	value->is_known = reference->item;
	value->kind = line->instruction.branch_bytes ? VG_SITE_CALL : VG_SITE_ADDRESS;
	switch (reference->type) {
	case VG_RESOLVED_BY_ASSEMBLER:
	case R_X86_64_PC8:
	case R_X86_64_PC32:
	case R_X86_64_PC64:
	case R_X86_64_PLT32:
		value->value = next + field - (uint64_t)reference->offset;
		return true;
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
	case R_X86_64_GOTTPOFF:
		value->kind = VG_SITE_SLOT;
		value->value = next + field;
		value->is_known = reference->item && !reference->offset;
		return true;
	case R_X86_64_TLSGD:
	case R_X86_64_TLSLD:
		value->kind =
			reference->type == R_X86_64_TLSGD ? VG_SITE_TLS_PAIR : VG_SITE_TLS_MODULE;
		value->value = next + field;
		return true;
	case R_X86_64_GOTPC32_TLSDESC:
		value->kind = VG_SITE_TLS_DESCRIPTOR;
		value->value = next + field;
		value->is_known = reference->item && !reference->offset;
		return true;
	case R_X86_64_DTPOFF32:
	case R_X86_64_DTPOFF64:
		/* From the block's start up; in an executable the linker may have made it one from
		 * the thread pointer, which lies behind the block, down. */
		value->value = field - (uint64_t)reference->offset;
		value->kind = (int64_t)value->value < 0 ? VG_SITE_TPOFF : VG_SITE_DTPOFF;
		return true;
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_64:
		value->value = field - (uint64_t)reference->offset;
		return true;
	case R_X86_64_TPOFF32:
	case R_X86_64_TPOFF64:
		value->kind = VG_SITE_TPOFF;
		value->value = field - (uint64_t)reference->offset;
		return true;
	default:
		return false;
	}
}

static bool is_same_but_for_fields(const struct vg_line *line, const uint8_t *code,
				   const uint8_t *target)
{
	size_t size = line->instruction.size;
	uint8_t a[VG_MAX_INSTRUCTION], b[VG_MAX_INSTRUCTION];

	memcpy(a, code, size);
	memcpy(b, target, size);
	for (unsigned i = 0; i < line->reference_count; i++) {
		const struct vg_reference *reference = &line->references[i];

		/* What the assembler resolved inside a function, the linker left alone. */
		if (reference->type == VG_RESOLVED_BY_ASSEMBLER)
			continue;
		memset(a + reference->field, 0, reference->bytes);
		memset(b + reference->field, 0, reference->bytes);
	}
	return !memcmp(a, b, size);
}

/* call *foo@GOTPCREL(%rip) and jmp, both 6 bytes: ff 15 / ff 25 */
static bool read_relaxed_branch(const uint8_t *code, const uint8_t *target, uint64_t address,
				struct vg_site_value *value)
{
	bool is_call = code[1] == 0x15;
	unsigned field;

	if (is_call && target[0] == 0x67 && target[1] == 0xe8)
		field = 2;
	else if (is_call && target[0] == 0xe8 && target[5] == 0x90)
		field = 1;
	else if (!is_call && code[1] == 0x25 && target[0] == 0xe9 && target[5] == 0x90)
		field = 1;
	else
		return false;
	value->is_known = true;
	value->kind = VG_SITE_CALL;
	value->value = address + field + 4 + read_field(target + field, 4, true);
	return true;
}

/* The register moves from ModRM.reg to ModRM.rm, and with it REX.R to REX.B. */
static bool is_moved_register(const uint8_t *code, const uint8_t *target, size_t opcode)
{
	if (opcode == 1) {
		uint8_t rex = (uint8_t)(code[0] & ~0x04) | (code[0] & 0x04 ? 0x01 : 0);

		if (target[0] != rex)
			return false;
	}
	return (target[opcode + 1] & 0xc7) == (0xc0 | ((code[opcode + 1] >> 3) & 7));
}

/* op foo@GOTPCREL(%rip), %r -> op $foo, %r: opcode and ModRM.reg of the immediate form */
static bool is_immediate_form(uint8_t old, uint8_t opcode, uint8_t extension)
{
	if (old == 0x8b)
		return opcode == 0xc7 && !extension;
	if (old == 0x85)
		return opcode == 0xf7 && !extension;
	return (old & 0xc7) == 0x03 && opcode == 0x81 && extension == ((old >> 3) & 7);
}

static bool read_relaxed_load(const struct vg_line *line, const struct vg_reference *reference,
			      const uint8_t *code, const uint8_t *target, uint64_t address,
			      struct vg_site_value *value)
{
	size_t opcode = reference->field - 2u;
	uint64_t field = read_field(target + reference->field, 4, true);

	value->is_known = true;
	value->kind = VG_SITE_ADDRESS;
	if (code[opcode] == 0x8b && target[opcode] == 0x8d && !memcmp(code, target, opcode) &&
	    code[opcode + 1] == target[opcode + 1]) {
		value->value = address + line->instruction.size + field;
		return true;
	}
	value->value = field;
	return is_immediate_form(code[opcode], target[opcode], (target[opcode + 1] >> 3) & 7) &&
	       is_moved_register(code, target, opcode);
}

static bool read_relaxed_tls(const struct vg_reference *reference, const uint8_t *code,
			     const uint8_t *target, struct vg_site_value *value)
{
	size_t opcode = reference->field - 2u;
	uint8_t form = target[opcode];

	if (reference->field != 3 || (form == 0x8d ? (target[2] >> 3 & 7) != (code[2] >> 3 & 7)
						   : !is_moved_register(code, target, opcode)))
		return false;
	if (!(code[opcode] == 0x8b && form == 0xc7) &&
	    !(code[opcode] == 0x03 && (form == 0x81 || form == 0x8d)))
		return false;
	value->is_known = true;
	value->kind = VG_SITE_TPOFF;
	value->value = read_field(target + reference->field, 4, true);
	return true;
}

/* What a rewritten call of __tls_get_addr says is read at its first line. */
static bool read_tls_call(const struct vg_line *line, const uint8_t *target, uint64_t address,
			  struct vg_site_value *value)
{
	enum vg_tls_form form = vg_tls_form(target, line->tls_bytes);
	uint64_t field;

	if (line->references[0].type == R_X86_64_TLSLD || form == VG_TLS_BLOCK)
		return line->references[0].type == R_X86_64_TLSLD && form == VG_TLS_BLOCK;
	if (form == VG_TLS_CALL)
		return false;
	field = read_field(target + VG_TLS_FIELD, 4, true);
	value->is_known = line->references[0].item && !line->references[0].offset;
	value->kind = form == VG_TLS_LOCAL_EXEC ? VG_SITE_TPOFF : VG_SITE_SLOT;
	value->value = form == VG_TLS_LOCAL_EXEC ? field : address + line->tls_bytes + field;
	return true;
}

/* Was the instruction rewritten by the linker? */
static bool read_relaxed(const struct vg_line *line, const uint8_t *code, const uint8_t *target,
			 uint64_t address, struct vg_site_value *value)
{
	const struct vg_reference *reference = &line->references[0];

	if (line->tls_bytes)
		return read_tls_call(line, target, address, value);
	if (line->tls_done && vg_tls_form(target - line->tls_done,
					  line->tls_done + line->instruction.size) != VG_TLS_CALL)
		return true;
	if (line->reference_count != 1 || !is_slot_load(reference->type) || !reference->item ||
	    reference->offset || reference->field < 2)
		return false;
	if (reference->type == R_X86_64_GOTTPOFF)
		return read_relaxed_tls(reference, code, target, value);
	if (line->instruction.flow == VG_FLOW_CALL_INDIRECT ||
	    line->instruction.flow == VG_FLOW_JUMP_INDIRECT)
		return reference->field == 2 && line->instruction.size == 6 &&
		       read_relaxed_branch(code, target, address, value);
	return reference->field + 4u == line->instruction.size &&
	       read_relaxed_load(line, reference, code, target, address, value);
}

bool vg_site_read(const struct vg_line *line, const uint8_t *code, const uint8_t *target,
		  uint64_t address, struct vg_site_value values[2])
{
	memset(values, 0, 2 * sizeof(*values));
	if (!is_same_but_for_fields(line, code, target))
		return read_relaxed(line, code, target, address, &values[0]);
	for (unsigned i = 0; i < line->reference_count; i++)
		if (!read_plain(line, &line->references[i], target, address, &values[i]))
			return false;
	return true;
}
