/* SPDX-License-Identifier: MIT */
/*
 * Giving back the memory of patches that are out: the code that ran may have stored in live data
 * where something of the patch lies. What is still pointed into stays mapped, and is RETIRED.
 *
 *  1. A patch that is there, applied or retired, depends on this one: it stays.
 *  2. A search with the target running: most pointers that were left behind are found by it, and
 *     nobody is stopped for them.
 *  3. A stop: nobody in its code, and a search through registers and memory. Nothing can come to
 *     point there afterwards, since nothing does now.
 *  4. Unmap (one thread held).
 *
 * Whatever goes wrong on the way means that the memory stays: the patch is out all the same.
 */
#ifndef PATCHER_RETIRE_H
#define PATCHER_RETIRE_H

#include <vgraft/error.h>

#include "patcher/session.h"

/*
 * All patches that are DISARMED or RETIRED, newest first. Why one that was DISARMED stays is noted
 * in the result; of one that was RETIRED before nothing is said.
 */
VG_MUST_CHECK struct vg_error *vg_give_back(struct vg_session *session);

#endif
