/* SPDX-License-Identifier: MIT */
/*
 * One run of the object half: what is known about the units and the target, and the patch as it
 * grows. The stages, each a file:
 *
 *   changes     which functions are in the patch, and why
 *   variants    which of the compiled units the target holds
 *   safety      what cannot be made safe by replacing code
 *   match       the old code of these functions is in the target, byte for byte
 *   reach       how the patch refers to everything that the new code uses
 *   piece       copies of code and data that go into the patch, with their fixes
 *   entry       the displaced instructions of each changed function
 *   unwind      .eh_frame for the new code
 *   image       segments: where each piece lies; fixes become bytes or relocations
 *   emit        the records of the patch object
 */
#ifndef DIFFER_PATCH_BUILD_H
#define DIFFER_PATCH_BUILD_H

#include <vgraft/differ.h>
#include <vgraft/hooks.h>
#include <vgraft/patch.h>
#include <vgraft/rules.h>

#include "differ/correlate.h"
#include "differ/instruction_compare.h"
#include "differ/match.h"
#include "differ/unit.h"

struct vg_patch; /* common/patch_object.h */

struct vg_pair {
	const struct vg_unit *unit;
	const struct vg_defining_unit *defining; /* instead of a unit: see elsewhere, below */
	struct vg_object *pre, *post, *plain;	 /* plain may be NULL */
	struct vg_type_table *pre_types, *post_types;
	struct vg_line_table *pre_lines, *post_lines;	/* --explain; the second one is of… */
	struct vg_object *lined;			/* …this object, NULL: of post */
	bool is_asked_for_conventions, has_conventions; /* safety_convention.c */
};

struct vg_source_place {
	const char *file; /* relative to the source tree, if it lies in it */
	unsigned line;	  /* 0 = unknown */
};

/* Where a fix points to. */
enum vg_spot_kind { VG_SPOT_NONE, VG_SPOT_MODULE, VG_SPOT_PIECE, VG_SPOT_IMPORT };

struct vg_fix {
	uint32_t offset; /* in the piece */
	uint8_t type;	 /* enum vgp_reloc_type */
	enum vg_spot_kind kind;
	struct vg_piece *piece;
	uint64_t address; /* in the module */
	uint32_t import;  /* index */
	int64_t addend;
	const char *name; /* for people */
};

/* Pieces lie in their segment in the order of their kinds. */
enum vg_piece_kind {
	VG_PIECE_FUNCTION,
	VG_PIECE_PART,
	VG_PIECE_DISPLACED,
	VG_PIECE_STUB,
	VG_PIECE_SLOT,
	VG_PIECE_DATA,
	VG_PIECE_UNWIND,
	VG_PIECE_VARIABLE, /* the DATA segment */
};

/* A run of bytes that the patch brings. */
struct vg_piece {
	enum vg_piece_kind kind;
	struct vg_pair *pair;
	struct vg_item *item; /* of the post object, or NULL */
	int64_t from;	      /* offset in the item that it starts with */
	uint8_t *bytes;	      /* NULL: zero */
	uint64_t size, align;
	VG_LIST(struct vg_fix) fixes;
	const char *name;
	uint64_t key;	 /* slots and stubs: what they are for */
	uint32_t offset; /* in the segment, once laid out */
	size_t order;
};

/* How the patch refers to an item of the post object. */
struct vg_reach {
	bool has_address, has_call, has_slot, has_tpoff, has_import;
	bool has_dtpoff, has_tls_pair, has_tls_descriptor;
	bool is_near; /* the import lies in another patch area of the module, in reach */
	uint64_t address, call, slot, tls_pair, tls_descriptor;
	int64_t tpoff, dtpoff;
	uint32_t import;
	struct vg_piece *piece;
	const char *how; /* for --explain */
};

struct vg_import {
	const char *name, *soname, *version;
	uint16_t flags;
	uint64_t slot;
};

/* A changed or new function; parts are found through their parent. */
struct vg_change {
	struct vg_pair *pair;
	struct vg_item *pre; /* NULL: new */
	struct vg_item *post;
	struct vg_match *match; /* of pre */
	struct vg_difference difference;
	struct vg_piece *piece, *displaced;
	uint8_t entry_bytes;
	/* Where each instruction of the entry stands among the displaced ones, the end included. */
	struct {
		uint8_t from, to;
	} moves[VGP_JUMP_BYTES + 1];
	unsigned move_count;
};

struct vg_patch_build {
	struct vg_arena *arena;
	const struct vg_build_request *request;
	struct vg_build_result *result;
	struct vg_decoder *decoder;
	struct vg_target *target;
	struct vg_matcher matcher;
	const struct vg_units *units;
	struct vg_pair *pairs;
	size_t pair_count;
	VG_LIST(struct vg_patch *) earlier;  /* applied before this one, in this order */
	VG_LIST(struct vg_pair *) elsewhere; /* units that the diff does not reach; no post */
	size_t left_out_count; /* behind the others: units that the target does not hold */
	VG_LIST(struct vg_change *) changes;
	VG_LIST(struct vg_piece *) pieces;
	VG_LIST(struct vg_piece *) queue; /* pieces whose fixes are still to be made */
	VG_LIST(struct vg_import) imports;
	VG_LIST(struct vg_item *) hooks; /* functions that the patcher calls */
	struct vg_item *shadows;	 /* the table of shadow variables, or NULL */
	struct vgraft_shadow_table shadow_table;
	uint16_t flags; /* enum vgp_header_flags */
};

/* explain.c */
void vg_explain(struct vg_patch_build *build, const char *format, ...) VG_PRINTF(2, 3);
VG_MUST_CHECK struct vg_error *vg_note(struct vg_patch_build *build, const char *format, ...)
	VG_PRINTF(2, 3);
bool vg_is_allowed(const struct vg_patch_build *build, const char *rule);
/*
 * A refusal by a rule: kept in the result's reasons. NULL if --allow names the rule, which gives
 * a note instead; otherwise the error to return.
 */
VG_MUST_CHECK struct vg_error *vg_refuse(struct vg_patch_build *build, const char *rule,
					 const char *function, struct vg_source_place place,
					 const char *format, ...) VG_PRINTF(5, 6);

/*
 * source_place.c: where the source declares something. Lines are counted as in the tree before the
 * diffs; a line that a diff adds goes on from the one before it. Without debug information it is
 * the unit's file, line 0.
 */
struct vg_source_place vg_place_of(const struct vg_patch_build *build, struct vg_pair *pair,
				   const struct vg_item *item);
/*
 * explain_lines.c, for --explain: "FILE:LINE: text" of the instruction at `offset` of a function,
 * or "".
 */
const char *vg_explain_line(struct vg_patch_build *build, struct vg_pair *pair,
			    const struct vg_item *item, uint64_t offset);
/* A file as DWARF names it, and a line in it; the unit's own file where DWARF names none. */
struct vg_source_place vg_place_at(const struct vg_patch_build *build, const struct vg_pair *pair,
				   const char *file, unsigned line);

/* changes.c */
VG_MUST_CHECK struct vg_error *vg_changes_find(struct vg_patch_build *build);
bool vg_is_included(const struct vg_patch_build *build, const struct vg_item *post);

/* moved.c: globals that the diff moves to another unit become twins, as correlate.h has it. */
VG_MUST_CHECK struct vg_error *vg_moved_find(struct vg_patch_build *build);
/* The pair whose object the item is of: `pair`, or where the diff took it from. */
struct vg_pair *vg_pair_of(const struct vg_patch_build *build, struct vg_pair *pair,
			   const struct vg_item *item);
/* vg_match_function() for an item of a pre object, whichever unit has it. */
VG_MUST_CHECK struct vg_error *vg_match_old(struct vg_patch_build *build, struct vg_pair *pair,
					    struct vg_item *pre, struct vg_match **match);

/* variants.c: drops the units, and their changes, that the target was not linked from. */
VG_MUST_CHECK struct vg_error *vg_variants_choose(struct vg_patch_build *build);

/* safety.c */
VG_MUST_CHECK struct vg_error *vg_safety_check(struct vg_patch_build *build);
VG_MUST_CHECK struct vg_error *vg_safety_check_compiler(struct vg_patch_build *build);
/* For code that does not match: did another compiler have a hand in the target? */
VG_MUST_CHECK struct vg_error *vg_safety_check_other_compiler(struct vg_patch_build *build,
							      struct vg_pair *pair);

/* reach.c */
VG_MUST_CHECK struct vg_error *vg_reach(struct vg_patch_build *build, struct vg_pair *pair,
					struct vg_item *post, struct vg_reach **reach);
/* The address of something of the pre object in the target; the reach says what is known. */
VG_MUST_CHECK struct vg_error *vg_reach_old(struct vg_patch_build *build, struct vg_pair *pair,
					    struct vg_item *pre, struct vg_reach *reach);
/* reach_symbol.c: by the target's symbol tables. */
VG_MUST_CHECK struct vg_error *vg_reach_symbol(struct vg_patch_build *build,
					       const struct vg_item *item, struct vg_reach *reach);
/* reach_elsewhere.c: by a unit that the diff does not reach. */
VG_MUST_CHECK struct vg_error *vg_reach_elsewhere(struct vg_patch_build *build,
						  const struct vg_item *item,
						  struct vg_reach *reach);
/* Did the linker leave it out of the target, by all that its symbol table tells? */
bool vg_is_dropped(const struct vg_patch_build *build, const struct vg_item *item);
/* Do the symbol tables contradict the address? NULL if not. */
VG_MUST_CHECK struct vg_error *vg_reach_check(struct vg_patch_build *build,
					      const struct vg_item *item, uint64_t address);
/* import.c */
VG_MUST_CHECK struct vg_error *vg_import_add(struct vg_patch_build *build, struct vg_import import,
					     struct vg_reach *reach);
VG_MUST_CHECK struct vg_error *vg_reach_import(struct vg_patch_build *build,
					       const struct vg_item *item, struct vg_reach *reach);

/* piece.c */
VG_MUST_CHECK struct vg_error *vg_piece_new(struct vg_patch_build *build, enum vg_piece_kind kind,
					    uint64_t size, uint64_t align, struct vg_piece **piece);
/* The copy of (a part of) a post item that holds `offset`; made and queued when first asked for. */
VG_MUST_CHECK struct vg_error *vg_piece_of(struct vg_patch_build *build, struct vg_pair *pair,
					   struct vg_item *item, int64_t offset,
					   struct vg_piece **piece);
VG_MUST_CHECK struct vg_error *vg_piece_add_fix(struct vg_patch_build *build,
						struct vg_piece *piece, struct vg_fix fix);
/* fixup.c: makes the fixes of everything queued, and of what that brings along. */
VG_MUST_CHECK struct vg_error *vg_pieces_complete(struct vg_patch_build *build);
/* stub.c */
VG_MUST_CHECK struct vg_error *vg_slot_for(struct vg_patch_build *build, struct vg_item *item,
					   const struct vg_reach *reach, struct vg_piece **slot);
VG_MUST_CHECK struct vg_error *vg_stub_for(struct vg_patch_build *build, struct vg_item *item,
					   const struct vg_reach *reach, struct vg_piece **stub);

/* hook.c: finds the hooks and makes their pieces; looks at what they call, once all is resolved. */
VG_MUST_CHECK struct vg_error *vg_hooks_take(struct vg_patch_build *build);
VG_MUST_CHECK struct vg_error *vg_hooks_check(struct vg_patch_build *build);
/* hook_variables.c: finds the table of shadow variables, and makes its piece. */
VG_MUST_CHECK struct vg_error *vg_shadows_take(struct vg_patch_build *build);
void vg_shadows_record(const struct vg_patch_build *build, struct vgp_shadow_table *record);
void vg_hook_record(const struct vg_item *item, struct vgp_hook *hook, const char **name);

/* entry.c */
VG_MUST_CHECK struct vg_error *vg_entry_displace(struct vg_patch_build *build,
						 struct vg_change *change);
/* unwind.c */
VG_MUST_CHECK struct vg_error *vg_unwind_build(struct vg_patch_build *build);

/* image.c */
struct vg_image {
	uint8_t *text, *data; /* data may be NULL: all zero */
	uint32_t text_bytes, data_bytes, data_content_bytes;
	uint32_t text_align, data_align;
	VG_LIST(struct vgp_reloc) relocs; /* `name` not yet set, see names */
	VG_LIST(const char *) names;	  /* of each relocation */
};
VG_MUST_CHECK struct vg_error *vg_image_lay_out(struct vg_patch_build *build,
						struct vg_image *image);
/* emit.c */
VG_MUST_CHECK struct vg_error *vg_emit(struct vg_patch_build *build, const struct vg_image *image,
				       uint8_t **bytes, size_t *count);

/* Everything behind the units: fills *bytes, or leaves it NULL if nothing changed. */
VG_MUST_CHECK struct vg_error *vg_patch_build_run(struct vg_patch_build *build, uint8_t **bytes,
						  size_t *count);

#endif
