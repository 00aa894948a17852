/* SPDX-License-Identifier: MIT */
/* The qcow2 disk of a QEMU guest, made and looked at from the host with qemu-img. */
#ifndef TESTS_LIB_QEMU_DISK_H
#define TESTS_LIB_QEMU_DISK_H

#include <stdint.h>

#include <vgraft/error.h>

struct vg_error *vg_qemu_disk_make(const char *disk) VG_MUST_CHECK;

/*
 * An error unless `qemu-img check` finds the image without error and leak, and each block that was
 * ever written is whole and of the sequence number that the guest's `sum` calls for. No process may
 * use the image.
 */
struct vg_error *vg_qemu_disk_check(const char *disk, uint64_t sum) VG_MUST_CHECK;

#endif
