/* SPDX-License-Identifier: MIT */
/*
 * Recovery: what apply and revert do first. Each area that an interrupted run left is acted on as
 * the table in <vgraft/area.h> says, newest first:
 *
 *   mapping with our mark, never touched          unmap
 *   MAPPED, READY                                 nothing of it ever ran: unmap
 *   DISARMED, RETIRED                             unmap if nothing points there (retire.h)
 *   ARMING or REVERTING, switch 1                 new code runs everywhere: stop, finish: APPLIED;
 *                                                 a replacing patch disarms the older ones too
 *   ARMING or REVERTING, switch 0                 old code runs everywhere: stop, stack check of
 *                                                 the area, take out, DISARMED, unmap; older
 *                                                 patches that are tied to it go back to APPLIED
 *   APPLIED                                       nothing
 */
#ifndef PATCHER_RECOVERY_H
#define PATCHER_RECOVERY_H

#include <vgraft/error.h>

#include "patcher/session.h"

/* On success session->areas has nothing but patches that are applied or retired. */
VG_MUST_CHECK struct vg_error *vg_recover(struct vg_session *session);

/* Takes `installed` out in one stop (stack check of its area), and gives its memory back. */
VG_MUST_CHECK struct vg_error *vg_take_out(struct vg_session *session,
					   struct vg_installed *installed);

#endif
