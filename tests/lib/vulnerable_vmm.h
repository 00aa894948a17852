/* SPDX-License-Identifier: MIT */
/*
 * A vgraft-vmm with a bug of patches/vmm put back, in a private copy of the tree below the build
 * folder (tests/live/vulnerable makes it). The test must run from the top of the source tree.
 */
#ifndef TESTS_LIB_VULNERABLE_VMM_H
#define TESTS_LIB_VULNERABLE_VMM_H

#include <limits.h>

#include <vgraft/error.h>

/* All paths are absolute. What they name stays, so that the next test need not build it again. */
struct vg_vulnerable_vmm {
	char source[PATH_MAX]; /* the vulnerable tree */
	char program[PATH_MAX];
	char compdb[PATH_MAX];
	char fix[PATH_MAX]; /* the diff from it to today's tree */
	/* What goes into a VMM that runs: the fix, or where the folder has a form of it for live
	 * objects, that; then `hooks` is its hooks file, otherwise "". */
	char live[PATH_MAX];
	char hooks[PATH_MAX];
};

/* `name` is a folder of patches/vmm. */
struct vg_error *vg_vulnerable_vmm_build(const char *name,
					 struct vg_vulnerable_vmm *out) VG_MUST_CHECK;

#endif
