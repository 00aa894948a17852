/* SPDX-License-Identifier: MIT */
/*
 * Run-pre matching: where the code of a pre object lies in the target.
 *
 *   1. Candidates are what the symbol table calls by the function's name (under the unit's
 *      STT_FILE, if the function is static). Without such a symbol: the place where the whole
 *      object lies (vg_match_frames()), or the section (vg_match_block()); if that cannot be told,
 *      where matched code says; or else every function of the target that is as long (.eh_frame).
 *   2. A candidate matches if its bytes are those of the object, fields of relocations aside, and
 *      if what it refers to agrees: strings and constants by content, names that the target knows
 *      by address, code of the object by where it was found. Where that leaves several, the data
 *      that they refer to is followed: QEMU's 47 register_types() differ by the TypeInfo.
 *   3. One match is the place. None: the object made with the project's own flags (no section for
 *      each function) gets a try; short branches may differ between the two.
 *   4. What the matched code refers to is noted with the items as sites, and under its name for
 *      other objects.
 */
#ifndef DIFFER_MATCH_H
#define DIFFER_MATCH_H

#include "differ/match_facts.h"
#include "differ/site.h"
#include "differ/target_binary.h"

enum vg_match_how {
	VG_MATCHED_BY_NAME,   /* the symbol table */
	VG_MATCHED_BY_OBJECT, /* the place of the whole object, or section */
	VG_MATCHED_BY_CODE,   /* nothing but its own code */
	VG_MATCH_WAYS
};

struct vg_match {
	bool found;
	enum vg_match_how how;
	uint64_t address, bytes;
	uint64_t *places; /* not found: where it could be, if that are several */
	size_t place_count;
	struct vg_item
		*item;	  /* found: whose bytes these are: of the pre object, or of the plain one */
	const char *rule; /* not found: VG_RULE_MISMATCH or VG_RULE_AMBIGUOUS */
	const char *why;  /* not found: a sentence */
};

struct vg_matcher {
	struct vg_arena *arena;
	struct vg_decoder *decoder;
	struct vg_target *target;
	struct vg_facts *facts; /* of global names; NULL: none are kept */
	unsigned follow;	/* how many pointers deep data must agree; 0: it need not */
	double ms;		/* that vg_match_function() has taken until now */
};

/*
 * Finds a function (or a .cold piece) of the pre object; `plain` may be NULL. The answer stays
 * with the item. Not finding it is no error: see the answer.
 */
VG_MUST_CHECK struct vg_error *vg_match_function(struct vg_matcher *matcher, struct vg_item *item,
						 struct vg_object *plain, struct vg_match **match);

/*
 * Linkers copy the .eh_frame of an object as a whole: its records stand side by side in the
 * target's, in whichever sections the code lies, and each has the length of what it covers.
 * A place of the object is one at which all of these lengths, and all of the code, match. If there
 * is one, all sections with code are placed by it. The answer stays with the object; where there
 * were several, another call looks at these again, with what has been learned since.
 */
VG_MUST_CHECK struct vg_error *vg_match_frames(struct vg_matcher *matcher,
					       struct vg_object *object);

/* Does the data lie there, contents and what they point to, matcher->follow pointers deep? */
bool vg_match_data(struct vg_matcher *matcher, const struct vg_item *item, uint64_t address,
		   const char **why);

/*
 * Linkers place an input section as a whole. A section of the plain object lies where all of its
 * functions match at their offsets; that place is unique for nearly all objects, where that of a
 * short function alone (QEMU has register_types() 47 times) is not. The answer stays with the
 * section. *found: there is exactly one such place, *base.
 */
VG_MUST_CHECK struct vg_error *vg_match_block(struct vg_matcher *matcher,
					      struct vg_object_section *section, bool *found,
					      uint64_t *base);

/*
 * For a section of the plain object that lies nowhere: the function of the pre object that differs
 * from the target's, and where that lies, by the functions beside it; NULL if none of these was
 * found.
 */
VG_MUST_CHECK struct vg_error *vg_match_nearest(struct vg_matcher *matcher,
						const struct vg_object_section *section,
						const struct vg_object *pre,
						struct vg_item **different, uint64_t *address);

/* Step 2 for one function and one address. */
VG_MUST_CHECK struct vg_error *vg_match_try(struct vg_matcher *matcher, struct vg_item *item,
					    uint64_t address, bool *matches);

#endif
