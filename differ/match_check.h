/* SPDX-License-Identifier: MIT */
/* What matched code must agree with beyond its bytes, and what it says about other items. */
#ifndef DIFFER_MATCH_CHECK_H
#define DIFFER_MATCH_CHECK_H

#include "differ/match.h"

/* A TypeInfo points to strings and to functions, a table of such to tables: deep enough. */
#define VG_FOLLOW_POINTERS 3

/* Shorter code is found where it does not belong. */
#define VG_LEAST_ANCHOR_BYTES 48

/*
 * Does what the line refers to in the target agree with what is known of it? Strings and constants
 * must have the same content, symbols that the target exports the same address. *why is set
 * when the answer is no.
 */
bool vg_match_agrees(struct vg_matcher *matcher, const struct vg_line *line,
		     const struct vg_site_value values[2], const char **why);

/* The same for one item and the address at which it would lie. */
bool vg_match_lies_at(struct vg_matcher *matcher, const struct vg_item *item, uint64_t address,
		      const char **why);
/* Does the target, or code of another object, tell another address of that global name? */
bool vg_match_is_elsewhere(struct vg_matcher *matcher, const struct vg_item *item,
			   uint64_t address);

/* match_evidence.c: does code that lies there, and nowhere else, tell that it is this function? */
VG_MUST_CHECK struct vg_error *vg_match_is_evident(struct vg_matcher *matcher,
						   const struct vg_item *item, uint64_t address,
						   bool *evident);

/* Notes a value with the item of `owner` (the pre object) that reference `r` of the line means. */
VG_MUST_CHECK struct vg_error *vg_match_note_site(struct vg_matcher *matcher,
						  const struct vg_object *owner,
						  const struct vg_line *line, unsigned r,
						  const struct vg_site_value *value,
						  struct vg_item *user);

bool vg_symbol_is_of_file(const struct vg_symbol *symbol, const char *file);
/* Does the symbol table name this source (STT_FILE)? */
bool vg_target_has_file(const struct vg_target *target, const char *file);
/* Does it name any source? */
bool vg_target_names_files(const struct vg_target *target);

#endif
