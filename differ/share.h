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

#include "differ/match.h"

struct vg_share_count {
	size_t functions;
	uint64_t bytes;
};

/* Of the functions that the target's .eh_frame tells of. */
struct vg_share {
	char *build_id; /* hex, malloc */
	size_t objects;
	struct vg_share_count all;
	struct vg_share_count unique;
	struct vg_share_count by[3];	 /* of these, by enum vg_match_how */
	struct vg_share_count ambiguous; /* code that lies at several places */
	struct vg_share_count contested; /* two functions of the objects are this one */
	struct vg_share_count unknown;	 /* no function of the objects is this one */
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
