/* SPDX-License-Identifier: MIT */
/* One verb at work on one target: what it has open, and what it knows of the target. */
#ifndef PATCHER_SESSION_H
#define PATCHER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <vgraft/error.h>
#include <vgraft/patcher.h>

#include "patcher/area.h"
#include "patcher/module.h"
#include "patcher/sharing.h"
#include "patcher/stack_check.h"
#include "patcher/target.h"

struct vg_session {
	struct vg_live_target target;
	const struct vg_patch_options *options;
	struct vg_result *result;
	uint64_t deadline; /* of the verb, vg_clock_now() */
	struct vg_sharing sharing;
	struct vg_stacks *stacks;
	/* As of the last vg_session_look(). */
	struct vg_maps maps;
	struct vg_modules modules;
	struct vg_areas areas;
	uint64_t inject; /* nanoseconds that single threads were held */
	/* Of vg_written_open(), or -1: the kernel does not tell which pages are written. */
	int written;
	bool asked_for_written;
	uint64_t journal; /* the area that is being put in, where vg_written_open() leaves its note;
			     0 = take one that is there */
};

/* Opens and locks the target and looks at it. The session is closed by vg_session_close(). */
VG_MUST_CHECK struct vg_error *vg_session_open(struct vg_session *session, pid_t pid,
					       const struct vg_patch_options *options,
					       struct vg_result *result);
/* Reads maps, modules and patch areas again. */
VG_MUST_CHECK struct vg_error *vg_session_look(struct vg_session *session);
/*
 * Target running: has the kernel keep track of written pages from the next preparation of a stop
 * on. It only makes stops shorter: where it can't be had, there is no more to say.
 */
void vg_session_track(struct vg_session *session);
/* Closes the descriptor that a tool which was killed in the above left in the target. */
VG_MUST_CHECK struct vg_error *vg_session_untrack(struct vg_session *session, bool *closed);
void vg_session_close(struct vg_session *session);

/* The patch of that name in the target, or NULL. One that is retired is none. */
struct vg_installed *vg_session_find(struct vg_session *session, const char *name);

#endif
