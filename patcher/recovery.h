/* SPDX-License-Identifier: MIT */
/*
 * Recovery: what apply and revert do first. Each area that an interrupted run left is acted on as
 * the table in <vgraft/area.h> says, newest first:
 *
 *   mapping with our mark, never touched          unmap
 *   MAPPED, READY, DISARMED                       nothing leads there: unmap
 *   ARMING or REVERTING, switch 1                 new code runs everywhere: stop, finish: APPLIED
 *   ARMING or REVERTING, switch 0                 old code runs everywhere: stop, stack check of
 * the area, take out, DISARMED, unmap APPLIED                                       nothing
 */
#ifndef PATCHER_RECOVERY_H
#define PATCHER_RECOVERY_H

#include <vgraft/error.h>

#include "patcher/session.h"

/* On success session->areas has nothing but applied patches. */
VG_MUST_CHECK struct vg_error *vg_recover(struct vg_session *session);

/* Takes `installed` out in one stop (stack check of its area), and unmaps it. */
VG_MUST_CHECK struct vg_error *vg_take_out(struct vg_session *session,
					   struct vg_installed *installed);

#endif
