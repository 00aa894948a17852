/* SPDX-License-Identifier: MIT */
/* Mapping, filling and unmapping of patch areas: injected calls, and writes while the target runs.
 */
#ifndef PATCHER_INSTALL_H
#define PATCHER_INSTALL_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/plan.h"
#include "patcher/session.h"

/*
 * Maps the areas of a plan, primary first; each gets its header before anything else happens to it.
 * An address that the target took meanwhile: *taken, and what was mapped is left to recovery.
 */
VG_MUST_CHECK struct vg_error *vg_install_map(struct vg_session *session,
					      const struct vg_plan *plan, bool *taken);
/* Writes the content, reads it back, compares, and says READY. Makes the entries' pages private. */
VG_MUST_CHECK struct vg_error *vg_install_fill(struct vg_session *session,
					       const struct vg_plan *plan);

/* Unmaps [start, start + bytes) of each, in order, and looks that they are gone. */
VG_MUST_CHECK struct vg_error *vg_install_unmap(struct vg_session *session,
						const struct vg_orphan *areas, size_t count);
/* The areas of one patch, the primary last. */
VG_MUST_CHECK struct vg_error *vg_install_remove(struct vg_session *session,
						 const struct vg_installed *installed);

#endif
