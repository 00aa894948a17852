/* SPDX-License-Identifier: MIT */
#include "common/instruction.h"

#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

struct vg_decoder {
	csh handle;
	cs_insn *instruction;
};

struct vg_error *vg_decoder_open(struct vg_decoder **decoder)
{
	struct vg_decoder *made = calloc(1, sizeof(*made));

	*decoder = NULL;
	if (!made)
		return vg_error_no_memory();
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &made->handle) != CS_ERR_OK) {
		free(made);
		return vg_error_new(VG_FAILED, "cannot start the x86-64 disassembler (capstone)");
	}
	cs_option(made->handle, CS_OPT_DETAIL, CS_OPT_ON);
	cs_option(made->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	made->instruction = cs_malloc(made->handle);
	if (!made->instruction) {
		vg_decoder_close(made);
		return vg_error_no_memory();
	}
	*decoder = made;
	return NULL;
}

void vg_decoder_close(struct vg_decoder *decoder)
{
	if (!decoder)
		return;
	if (decoder->instruction)
		cs_free(decoder->instruction, 1);
	cs_close(&decoder->handle);
	free(decoder);
}

static bool is_legacy_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return false;
	}
}

/* Offset of the opcode: behind legacy prefixes and REX. */
static size_t opcode_offset(const uint8_t *bytes, size_t size)
{
	size_t at = 0;

	while (at < size && is_legacy_prefix(bytes[at]))
		at++;
	if (at < size && (bytes[at] & 0xf0) == 0x40)
		at++;
	return at;
}

/* Where the displacement of a direct branch lies; sets branch_bytes to 0 for all others. */
static void find_branch_field(const uint8_t *bytes, struct vg_instruction *instruction)
{
	size_t at = opcode_offset(bytes, instruction->size);

	if (at >= instruction->size)
		return;

	uint8_t opcode = bytes[at];

	if (opcode == 0xeb || (opcode & 0xf0) == 0x70 || (opcode >= 0xe0 && opcode <= 0xe3))
		instruction->branch_bytes = 1;
	else if (opcode == 0xe8 || opcode == 0xe9)
		instruction->branch_bytes = 4;
	else if (opcode == 0x0f && at + 1 < instruction->size && (bytes[at + 1] & 0xf0) == 0x80)
		instruction->branch_bytes = 4;
	if (instruction->branch_bytes)
		instruction->branch_offset = instruction->size - instruction->branch_bytes;
}

static void set_branch_target(const uint8_t *bytes, struct vg_instruction *instruction)
{
	uint8_t byte = bytes[instruction->branch_offset];
	int32_t distance = byte < 0x80 ? byte : byte - 0x100; /* sign-extended */

	if (instruction->branch_bytes == 4)
		memcpy(&distance, bytes + instruction->branch_offset, 4);
	instruction->target =
		instruction->address + instruction->size + (uint64_t)(int64_t)distance;
}

static void find_memory_operand(const cs_insn *insn, const uint8_t *bytes,
				struct vg_instruction *instruction)
{
	const cs_x86 *x86 = &insn->detail->x86;

	for (uint8_t i = 0; i < x86->op_count; i++) {
		const cs_x86_op *operand = &x86->operands[i];

		if (operand->type != X86_OP_MEM)
			continue;
		instruction->memory_bytes = operand->size;
		if (operand->mem.base != X86_REG_RIP && operand->mem.base != X86_REG_EIP)
			continue;

		/* ModRM with mod=0, rm=5: the displacement stands directly behind it, no SIB. */
		size_t at = (size_t)x86->encoding.modrm_offset + 1;
		int32_t distance;

		if (at + 4 > instruction->size)
			continue;
		memcpy(&distance, bytes + at, 4);
		instruction->is_rip_relative = true;
		instruction->displacement_offset = (uint8_t)at;
		instruction->target =
			instruction->address + instruction->size + (uint64_t)(int64_t)distance;
	}
}

static enum vg_flow flow_of(csh handle, const cs_insn *insn,
			    const struct vg_instruction *instruction)
{
	bool direct = instruction->branch_bytes != 0;

	switch (insn->id) {
	case X86_INS_UD0:
	case X86_INS_UD2B:
	case X86_INS_UD2:
	case X86_INS_HLT:
	case X86_INS_INT3:
		return VG_FLOW_STOP;
	case X86_INS_JMP:
	case X86_INS_LJMP:
		return direct ? VG_FLOW_JUMP : VG_FLOW_JUMP_INDIRECT;
	case X86_INS_CALL:
	case X86_INS_LCALL:
		return direct ? VG_FLOW_CALL : VG_FLOW_CALL_INDIRECT;
	default:
		break;
	}
	if (cs_insn_group(handle, insn, CS_GRP_RET) || cs_insn_group(handle, insn, CS_GRP_IRET))
		return VG_FLOW_RETURN;
	return direct ? VG_FLOW_CONDITIONAL : VG_FLOW_NEXT;
}

/* Assemblers also pad with `xchg %ax,%ax`, which capstone calls a nop, and with long nops. */
static bool is_padding(const cs_insn *insn)
{
	return insn->id == X86_INS_NOP;
}

bool vg_decode(struct vg_decoder *decoder, const uint8_t *bytes, size_t count, uint64_t address,
	       struct vg_instruction *instruction)
{
	const uint8_t *code = bytes;
	size_t left = count < VG_MAX_INSTRUCTION ? count : VG_MAX_INSTRUCTION;
	uint64_t next = address;
	cs_insn *insn = decoder->instruction;

	*instruction = (struct vg_instruction){.address = address};
	if (!cs_disasm_iter(decoder->handle, &code, &left, &next, insn))
		return false;
	instruction->size = (uint8_t)insn->size;
	instruction->id = (uint16_t)insn->id;
	instruction->is_lea = insn->id == X86_INS_LEA;
	instruction->is_wait = insn->id == X86_INS_SYSCALL || insn->id == X86_INS_PAUSE;
	instruction->is_unmovable = insn->id == X86_INS_XBEGIN;
	instruction->is_padding = is_padding(insn);
	if (cs_insn_group(decoder->handle, insn, CS_GRP_JUMP) ||
	    cs_insn_group(decoder->handle, insn, CS_GRP_CALL) || insn->id == X86_INS_LOOP ||
	    insn->id == X86_INS_LOOPE || insn->id == X86_INS_LOOPNE)
		find_branch_field(bytes, instruction);
	if (instruction->branch_bytes)
		set_branch_target(bytes, instruction);
	else
		find_memory_operand(insn, bytes, instruction);
	instruction->flow = (uint8_t)flow_of(decoder->handle, insn, instruction);
	return true;
}

void vg_instruction_text(struct vg_decoder *decoder, const uint8_t *bytes, size_t count,
			 uint64_t address, char *text, size_t text_bytes)
{
	const uint8_t *code = bytes;
	size_t left = count < VG_MAX_INSTRUCTION ? count : VG_MAX_INSTRUCTION;
	uint64_t next = address;
	cs_insn *insn = decoder->instruction;

	if (!cs_disasm_iter(decoder->handle, &code, &left, &next, insn))
		snprintf(text, text_bytes, "(bad)");
	else
		snprintf(text, text_bytes, "%s%s%s", insn->mnemonic, *insn->op_str ? " " : "",
			 insn->op_str);
}
