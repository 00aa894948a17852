/* SPDX-License-Identifier: MIT */
/* A disk image with an ext4 on it, made and looked at from the host. */
#ifndef TESTS_LIB_EXT4_H
#define TESTS_LIB_EXT4_H

#include <limits.h>

#include <vgraft/error.h>

/* Makes an image in the build folder and puts its name in `disk`; remove it with unlink(). */
struct vg_error *vg_ext4_make(char disk[PATH_MAX], unsigned int mib) VG_MUST_CHECK;

/* An error unless fsck finds nothing at all to say. */
struct vg_error *vg_ext4_check(const char *disk) VG_MUST_CHECK;

/* After a crash: replays the journal; an error if more than that had to be done. */
struct vg_error *vg_ext4_recover(const char *disk) VG_MUST_CHECK;

/*
 * An error unless the files have the sums that `sums` gives, in the form of sha256sum with names
 * in the root folder. Read with debugfs, which shares no code with the guest's ext4.
 */
struct vg_error *vg_ext4_check_sums(const char *disk, const char *sums) VG_MUST_CHECK;

#endif
