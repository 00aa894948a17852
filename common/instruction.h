/* SPDX-License-Identifier: MIT */
/*
 * One decoded x86-64 instruction, reduced to what both tools ask: how long it is, where control
 * goes, and where the fields lie that hold a displacement. Decoding is capstone's; the fields are
 * found from the encoding itself (Intel SDM vol. 2, ch. 2), since a patcher that trusts a
 * disassembler's field table writes into the wrong byte when the table has a hole.
 */
#ifndef COMMON_INSTRUCTION_H
#define COMMON_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#define VG_MAX_INSTRUCTION 15 /* bytes; Intel SDM vol. 2, 2.3.11 */

enum vg_flow {
	VG_FLOW_NEXT,	       /* goes on behind the instruction */
	VG_FLOW_JUMP,	       /* direct jmp */
	VG_FLOW_CONDITIONAL,   /* jcc, loop, jrcxz: to `target` or behind the instruction */
	VG_FLOW_CALL,	       /* direct call */
	VG_FLOW_JUMP_INDIRECT, /* jmp through a register or memory */
	VG_FLOW_CALL_INDIRECT,
	VG_FLOW_RETURN,
	VG_FLOW_STOP, /* ud2, hlt, int3: control does not come behind it */
};

struct vg_instruction {
	uint64_t address;
	uint8_t size;
	uint8_t flow;		     /* enum vg_flow */
	bool is_padding;	     /* nop in any length, xchg %ax,%ax; not endbr64 */
	bool is_rip_relative;	     /* has a memory operand relative to the next instruction */
	bool is_unmovable;	     /* depends on where it stands in another way (xbegin) */
	bool is_lea;		     /* computes an address and does not access memory */
	bool is_wait;		     /* syscall, pause: leaves time to others */
	uint8_t displacement_offset; /* of the 4-byte RIP displacement, if is_rip_relative */
	uint8_t branch_offset;	     /* of the displacement of a direct branch */
	uint8_t branch_bytes;	     /* 1 or 4; 0: no direct branch */
	uint8_t memory_bytes;	     /* size of the memory access, 0 unknown */
	uint16_t id;		     /* capstone's x86_insn */
	uint64_t target;	     /* of a direct branch, or of the RIP-relative operand */
};

struct vg_decoder;
VG_MUST_CHECK struct vg_error *vg_decoder_open(struct vg_decoder **decoder);
void vg_decoder_close(struct vg_decoder *decoder); /* NULL is allowed */
static inline void vg_decoder_cleanup(struct vg_decoder **decoder)
{
	vg_decoder_close(*decoder);
}

/* Decodes the instruction at `bytes`; false if there is no valid one in `count` bytes. */
bool vg_decode(struct vg_decoder *decoder, const uint8_t *bytes, size_t count, uint64_t address,
	       struct vg_instruction *instruction);
/* Text in AT&T syntax, e.g. "movl $1, %eax"; "(bad)" if it does not decode. */
void vg_instruction_text(struct vg_decoder *decoder, const uint8_t *bytes, size_t count,
			 uint64_t address, char *text, size_t text_bytes);

#endif
