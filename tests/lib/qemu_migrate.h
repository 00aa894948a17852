/* SPDX-License-Identifier: MIT */
/*
 * The guest of one QEMU moves to another on the same host, its streams running: over a unix socket,
 * onto the same disk and the same network (tests/lib/echo_peer.h).
 *
 *   vg_qemu_start(&(struct vg_qemu_options){.leaves = true}, &from);
 *   vg_qemu_start(&(struct vg_qemu_options){.incoming = from}, &to);
 *   vg_qemu_migrate(from, to);       now `to` has the guest, and `from` has ended
 */
#ifndef TESTS_LIB_QEMU_MIGRATE_H
#define TESTS_LIB_QEMU_MIGRATE_H

#include "tests/lib/qemu_guest.h"

/* `to` was started with `incoming`. When this returns the guest runs there. */
struct vg_error *vg_qemu_migrate(struct vg_qemu *from, struct vg_qemu *to) VG_MUST_CHECK;

/* Snapshots of the machine and its disk. `name` is a word. */
struct vg_error *vg_qemu_snapshot_save(struct vg_qemu *qemu, const char *name) VG_MUST_CHECK;
struct vg_error *vg_qemu_snapshot_load(struct vg_qemu *qemu, const char *name) VG_MUST_CHECK;

/*
 * Plugs a device; `arguments`, taken over, are those of device_add, with an id. Pulls one; returns
 * when the guest has let it go.
 */
struct vg_error *vg_qemu_plug(struct vg_qemu *qemu, json_t *arguments) VG_MUST_CHECK;
struct vg_error *vg_qemu_unplug(struct vg_qemu *qemu, const char *id) VG_MUST_CHECK;

/* What the human monitor prints. Owned by the caller. */
struct vg_error *vg_qemu_human(struct vg_qemu *qemu, const char *command,
			       char **said) VG_MUST_CHECK;

#endif
