/* SPDX-License-Identifier: MIT */
/*
 * Twins: which item of the post object is the same thing as which item of the pre object. The
 * widest level at which the match is one to one wins:
 *
 *   1. name     the whole linker symbol, for names that the source gave
 *   2. base     the name without the number or clone suffix that the compiler gave: calls.0,
 *               foo.isra.0; one on each side, and not plainly in different functions
 *   3. scope    several of one base name: the set of functions that refer to it
 *   4. content  several of one base name and scope: the same instructions, or (constants) bytes
 *
 * What is left on one side only is new or removed. Statics left on both sides are `ambiguous`:
 * a wrong twin would make the new code use another variable's memory. Clones left on both sides
 * are no twins: the new one comes with the patch and all its callers, which are in this object,
 * count as changed.
 *
 * Strings, constants and anonymous data have no twins; they are compared by content where they
 * are used.
 */
#ifndef DIFFER_CORRELATE_H
#define DIFFER_CORRELATE_H

#include "differ/listing.h"

VG_MUST_CHECK struct vg_error *vg_correlate(struct vg_decoder *decoder, struct vg_object *pre,
					    struct vg_object *post);

#endif
