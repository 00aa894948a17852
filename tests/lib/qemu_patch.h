/* SPDX-License-Identifier: MIT */
/*
 * Patches for Debian's QEMU that manifests describe: those of patches/qemu, and the tests' own in
 * tests/qemu/patches. Built once for a build folder; later tests take what is there. The test must
 * run from the top of the source tree.
 */
#ifndef TESTS_LIB_QEMU_PATCH_H
#define TESTS_LIB_QEMU_PATCH_H

#include <limits.h>

#include "tests/lib/command.h"
#include "tests/lib/qemu_guest.h"

/* The fix that tests/qemu/guest/uhci.c shows. */
#define VG_QEMU_CVE "patches/qemu/CVE-2024-8354"

struct vg_qemu_patch {
	const char *name; /* the last part of the folder's name */
	char object[PATH_MAX];
};

/* `folder` holds the file `manifest`, and is as long-lived as the patch. */
struct vg_error *vg_qemu_patch_build(const char *folder, struct vg_qemu_patch *patch) VG_MUST_CHECK;
/* The same, built anew; *answer is what `vgraft build` said. */
struct vg_error *vg_qemu_patch_build_anew(const char *folder, struct vg_qemu_patch *patch,
					  json_t **answer) VG_MUST_CHECK;

/* More than there are. */
#define VG_QEMU_PATCHES_MAX 64

/*
 * All patches of patches/qemu for the version that is tested, by name, as far as they were built:
 * some are refused, by design. Their names live as long as the program.
 */
struct vg_qemu_patches {
	struct vg_qemu_patch all[VG_QEMU_PATCHES_MAX];
	size_t count;
};
struct vg_error *vg_qemu_patches_find(struct vg_qemu_patches *patches) VG_MUST_CHECK;

/*
 * Applies the patch, unless the module that it is for is not loaded. *applied: it is. `answer` may
 * be NULL.
 */
struct vg_error *vg_qemu_patch_apply_if_loaded(const struct vg_qemu_patch *patch,
					       const struct vg_qemu *qemu, bool *applied,
					       json_t **answer) VG_MUST_CHECK;

/* An error unless it is applied, or reverted. `answer` may be NULL. */
struct vg_error *vg_qemu_patch_apply(const struct vg_qemu_patch *patch, const struct vg_qemu *qemu,
				     json_t **answer) VG_MUST_CHECK;
struct vg_error *vg_qemu_patch_revert(const struct vg_qemu_patch *patch, const struct vg_qemu *qemu,
				      json_t **answer) VG_MUST_CHECK;

/*
 * What a build (`answer`) said when neither the cache nor apt has its package any more, as happens
 * to the current one once there is a newer one. NULL: it said something else. Part of `answer`.
 */
const char *vg_qemu_package_gone(const json_t *answer);

#endif
