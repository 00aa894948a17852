/* SPDX-License-Identifier: MIT */
/*
 * Are two pieces of code, or two pieces of data, the same to the program? Pre against post, decoded
 * and with symbolic operands; see vg_same_code(). When in doubt, they are not.
 */
#ifndef DIFFER_INSTRUCTION_COMPARE_H
#define DIFFER_INSTRUCTION_COMPARE_H

#include "differ/listing.h"

enum vg_verdict {
	VG_NOT_COMPARED,
	VG_BEING_COMPARED, /* further up the stack: taken for the same, decided there */
	VG_SAME,
	VG_DIFFERENT,
};

/* The first difference, for --explain. */
struct vg_difference {
	const struct vg_line *pre, *post; /* NULL: that side has ended */
	const char *what;		  /* in words */
};

/*
 * Instruction by instruction, padding skipped: the same bytes but for the fields that refer to
 * something; branches inside the function lead to the same instruction; everything else that is
 * referred to is the same thing (vg_same_reference()).
 */
VG_MUST_CHECK struct vg_error *vg_same_code(struct vg_decoder *decoder, struct vg_item *pre,
					    struct vg_item *post, bool *same,
					    struct vg_difference *difference);

/* Contents and what the relocations in them refer to; from `*_offset` for `bytes`. */
VG_MUST_CHECK struct vg_error *vg_same_data(struct vg_decoder *decoder, struct vg_item *pre,
					    int64_t pre_offset, struct vg_item *post,
					    int64_t post_offset, uint64_t bytes, bool *same);
/* The whole of both. */
VG_MUST_CHECK struct vg_error *vg_same_contents(struct vg_decoder *decoder, struct vg_item *pre,
						struct vg_item *post, bool *same);

/*
 * .cold and .part pieces are no functions of their own: they count as code of their function. Not
 * so a .part that other functions call.
 */
bool vg_item_is_part(const struct vg_item *item);
/*
 * foo.cold and foo.part.0 belong to foo. Where foo was inlined everywhere and has no code of its
 * own, foo.part.0 belongs to those who call it.
 */
bool vg_part_belongs_to(const struct vg_item *part, const struct vg_item *function);
/* Is it reached by section and content rather than by a name that the program knows? */
bool vg_item_is_nameless(const struct vg_item *item);
/* Read-only and known to this object alone: a copy with other contents can stand in for it. */
bool vg_item_is_replaceable_constant(const struct vg_item *item);

#endif
