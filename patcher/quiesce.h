/* SPDX-License-Identifier: MIT */
/*
 * Attempts to stop and commit, spread over the time allowed: 1, 2, 4 … 50 ms apart, with jitter, so
 * that a thread that is busy in step with them is met elsewhere sometime. Between two attempts
 * everybody runs.
 */
#ifndef PATCHER_QUIESCE_H
#define PATCHER_QUIESCE_H

#include <stdbool.h>

#include <vgraft/error.h>

#include "patcher/session.h"
#include "patcher/stop.h"

/*
 * `request` without target, stacks and sharing, which are the session's. `once`: one answer,
 * whatever the time allowed. No safe point: VG_BUSY, with the blocker in the result.
 */
VG_MUST_CHECK struct vg_error *vg_quiesce(struct vg_session *session,
					  struct vg_stop_request *request, bool once);

#endif
