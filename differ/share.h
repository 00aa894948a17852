/* SPDX-License-Identifier: MIT */
/*
 * How much of a binary could be patched: the share of its functions of which compiled objects tell,
 * beyond doubt, which they are. Needs objects of the build, all or a part; no sources.
 */
#ifndef DIFFER_SHARE_H
#define DIFFER_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "differ/arena.h"
#include "differ/match.h"

struct vg_share_count {
	size_t functions;
	uint64_t bytes;
};

enum vg_share_state {
	VG_SHARE_UNKNOWN,   /* no function of the objects is this one */
	VG_SHARE_AMBIGUOUS, /* code that lies at several places, this one among them */
	VG_SHARE_CONTESTED, /* two functions of the objects are this one */
	VG_SHARE_UNIQUE,
	VG_SHARE_STATES
};

struct vg_share_function {
	uint64_t address, bytes;
	enum vg_share_state state;
	enum vg_match_how how;	 /* unique */
	const char *name, *file; /* of one that is, or could be, this one; NULL: unknown */
};

/* Of the functions that the target's .eh_frame tells of. */
struct vg_share {
	struct vg_arena arena;
	char *build_id; /* hex */
	size_t objects;
	struct vg_share_count all;
	struct vg_share_count in[VG_SHARE_STATES];
	struct vg_share_count by[VG_MATCH_WAYS]; /* of the unique ones */
	struct vg_share_count alone; /* of these: the own object is enough, as for a single fix */
	struct vg_share_function *functions; /* all.functions, ascending addresses */
};

/*
 * `paths`: objects, or folders that are searched for *.o; what is no object for x86-64 is passed
 * over. Missing paths: VG_USAGE.
 */
VG_MUST_CHECK struct vg_error *vg_share_measure(const char *target, const char *symbols,
						char *const *paths, size_t count,
						struct vg_share *share);
void vg_share_clear(struct vg_share *share);

#endif
