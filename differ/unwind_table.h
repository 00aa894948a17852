/* SPDX-License-Identifier: MIT */
/*
 * Reading .eh_frame (LSB 5.0, ch. 10.6; DWARF 5, 6.4) as the differ needs it: which record covers
 * what, and its bytes, so that records can be carried over into a patch. What the instructions in
 * them say is the unwinder's business.
 */
#ifndef DIFFER_UNWIND_TABLE_H
#define DIFFER_UNWIND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vg_unwind_cie {
	uint64_t offset;  /* of the record in the section */
	uint64_t bytes;	  /* with the length field */
	uint8_t encoding; /* of pointers to code: DW_EH_PE_*; absolute if there is no 'R' */
	bool has_lsda;	  /* 'L' */
	bool has_personality;
	bool has_augmentation;			     /* 'z' */
	uint8_t lsda_encoding, personality_encoding; /* of these pointers */
	/* Offsets in the section: of the two pointers' descriptions, and of the personality. */
	uint64_t lsda_encoding_offset, personality_encoding_offset, personality_offset;
	uint64_t numbers, numbers_end; /* alignments and return address register */
	uint64_t code_align;
	uint64_t instructions; /* offset in the section */
};

struct vg_unwind_fde {
	uint64_t offset, bytes;
	uint64_t cie; /* offset of its CIE */
	uint64_t pc_begin_offset, pc_range_offset;
	unsigned pointer_bytes; /* of both fields */
	uint64_t lsda_offset;	/* of the pointer to the exception table; 0: none */
	uint64_t instructions;	/* offset in the section */
};

/* Bytes of a pointer of this DW_EH_PE_* encoding; 0: it has no fixed length. */
unsigned vg_unwind_pointer_bytes(uint8_t encoding);
/* The record at `offset`; *next is set. False at the end, or where the table is damaged. */
bool vg_unwind_next(const uint8_t *data, size_t size, uint64_t offset, uint64_t *next, bool *is_cie,
		    struct vg_unwind_cie *cie, struct vg_unwind_fde *fde);

#endif
