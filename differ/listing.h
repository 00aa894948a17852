/* SPDX-License-Identifier: MIT */
/*
 * The decoded instructions of a function of an object, with what each of them refers to. A
 * reference is symbolic: an item and an offset in it, no matter whether a relocation says so or
 * the assembler resolved it because both lie in one section.
 */
#ifndef DIFFER_LISTING_H
#define DIFFER_LISTING_H

#include "common/instruction.h"
#include "differ/object_file.h"

#define VG_RESOLVED_BY_ASSEMBLER 0 /* reference type: R_X86_64_NONE, there is no relocation */

struct vg_reference {
	struct vg_item *item; /* NULL: to nothing that has a name (absolute) */
	int64_t offset;	      /* in the item */
	uint32_t type;	      /* R_X86_64_* */
	uint8_t field;	      /* offset of the field in the instruction */
	uint8_t bytes;	      /* of the field */
	int64_t addend;	      /* of the relocation, as it stands */
};

struct vg_line {
	struct vg_instruction instruction; /* address: offset in the function */
	struct vg_reference references[2];
	unsigned reference_count;
	size_t ordinal; /* number of the instruction, padding not counted */
	/* Of a call of __tls_get_addr (tls_call.h), 0 elsewhere: in its first line the bytes of
	 * both, in its second those of the first. */
	uint8_t tls_bytes, tls_done;
};

struct vg_listing {
	struct vg_item *item;
	struct vg_line *lines;
	size_t count;
	size_t ordinals; /* instructions without padding */
};

/*
 * What a relocation refers to. `bias` is what the place of use adds: for a field relative to the
 * next instruction, the distance from the field to it. False: the symbol is absolute or of a
 * section that is not loaded.
 */
bool vg_reloc_target(const struct vg_object_reloc *reloc, int64_t bias, struct vg_item **item,
		     int64_t *offset);
bool vg_reloc_is_pc_relative(uint32_t type);
/*
 * What an entry of a table in data refers to. `at` is how far behind the table's start it stands:
 * compilers count relative entries from there; in assembler an entry may count from itself
 * (`.long f - .`), which is meant where the other way leads out of a function. *distance: from the
 * entry to what it counts from, 0 if it is absolute.
 */
bool vg_entry_target(const struct vg_object_reloc *reloc, int64_t at, struct vg_item **item,
		     int64_t *offset, int64_t *distance);

/* Decodes once; the listing stays with the item. Refused if the bytes are no valid code. */
VG_MUST_CHECK struct vg_error *vg_listing_get(struct vg_decoder *decoder, struct vg_item *item,
					      struct vg_listing **listing);
/* The line at that offset, or NULL if no instruction starts there. */
const struct vg_line *vg_listing_line(const struct vg_listing *listing, uint64_t offset);
/* Ordinal of the first instruction at or behind the offset; SIZE_MAX if none starts there. */
size_t vg_listing_ordinal(const struct vg_listing *listing, int64_t offset);

#endif
