/* SPDX-License-Identifier: MIT */
/*
 * /tmp/perf-PID.map, where perf(1) finds the names of code that belongs to no file (Linux:
 * tools/perf/Documentation/jit-interface.txt): lines of `start size name`, both hexadecimal.
 *
 * Ours are those whose name ends in `@vgraft:PATCH`. The file may be that of a JIT compiler in the
 * target, which appends to it: our lines are appended in one write, and blanked where they stand
 * when they are no longer true. A file with only our lines is replaced, or removed.
 *
 * The folder and the file are the target's, and not trusted: no link is followed, and nothing is
 * written but a regular file with one name that belongs to the target's user or to ours.
 */
#ifndef PATCHER_PERF_MAP_H
#define PATCHER_PERF_MAP_H

#include <vgraft/error.h>

#include "patcher/names.h"
#include "patcher/session.h"

/*
 * Makes the lines in the file those of `names`. Idempotent: what a killed tool left half done, the
 * next verb mends. Thread context: target running.
 */
VG_MUST_CHECK struct vg_error *vg_perf_map_write(const struct vg_live_target *target,
						 const struct vg_names *names);

/* The same for what is applied now, at the end of a verb. What fails is a note of the result. */
void vg_perf_map_refresh(struct vg_session *session);

#endif
