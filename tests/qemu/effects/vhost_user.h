/* SPDX-License-Identifier: MIT */
/*
 * The least of a device whose queues another process serves: it answers what must be answered, and
 * serves nothing. vhost-user protocol (docs/interop/vhost-user.rst of QEMU).
 *
 * Thread context: a thread of its own answers; any one thread opens, asks and closes.
 */
#ifndef TESTS_QEMU_EFFECTS_VHOST_USER_H
#define TESTS_QEMU_EFFECTS_VHOST_USER_H

#include <vgraft/error.h>

struct vhost_user;

/* *peer is the other end, for QEMU to inherit; the caller closes it. */
VG_MUST_CHECK struct vg_error *vhost_user_open(struct vhost_user **out, int *peer);
/* How often the device was told to poll for interrupts, since it gets no descriptor for them. */
unsigned int vhost_user_calls_without_fd(const struct vhost_user *device);
/* After QEMU's end: it is what the thread waits for. NULL is allowed. */
void vhost_user_close(struct vhost_user *device);

#endif
