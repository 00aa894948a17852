/* SPDX-License-Identifier: MIT */
/*
 * Giving back the memory of patches that are out. What is still pointed into (leaving.h) stays
 * mapped, and is RETIRED.
 *
 *  1. A patch that is there, applied or retired, depends on this one: it stays.
 *  2. The stop that took it out has decided: then that is done.
 *  3. Otherwise a survey with the target running: most pointers that were left behind are found by
 *     it, and nobody is stopped for them.
 *  4. A stop of its own: nobody in its code, and nothing points into it.
 *  5. Unmap (one thread held).
 *
 * Whatever goes wrong on the way means that the memory stays: the patch is out all the same.
 */
#ifndef PATCHER_RETIRE_H
#define PATCHER_RETIRE_H

#include <vgraft/error.h>

#include "patcher/leaving.h"
#include "patcher/session.h"

/*
 * All patches that are DISARMED or RETIRED, newest first. Why one that was DISARMED stays is noted
 * in the result; of one that was RETIRED before nothing is said. `leaving`: of the stop that was
 * just made, or NULL.
 */
VG_MUST_CHECK struct vg_error *vg_give_back(struct vg_session *session,
					    const struct vg_leaving *leaving);

#endif
