/* SPDX-License-Identifier: MIT */
/*
 * What matched code of one object tells about the names of others: the addresses of global
 * functions and variables. A target need not export a name for that.
 */
#ifndef DIFFER_MATCH_FACTS_H
#define DIFFER_MATCH_FACTS_H

#include "differ/arena.h"

struct vg_fact {
	const char *name;
	uint64_t address;
	bool is_disputed; /* code disagrees about it: not to be relied on */
};

struct vg_facts {
	struct vg_arena *arena;
	void *tree; /* tsearch(3) */
	size_t count;
	bool is_silent; /* only collects */
};

VG_MUST_CHECK struct vg_error *vg_facts_note(struct vg_facts *facts, const char *name,
					     uint64_t address);
/* NULL: nothing is known, or disputed, or is to be told. */
const struct vg_fact *vg_facts_find(const struct vg_facts *facts, const char *name);
void vg_facts_close(struct vg_facts *facts);

#endif
