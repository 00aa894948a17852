/* SPDX-License-Identifier: MIT */
/*
 * Patches that a stop takes out: which of them can be unmapped afterwards? The code that ran may
 * have stored in live data where something of them lies (pointer_search.h).
 *
 *  1. Before each attempt, target running: pages are protected (written.h), then memory is
 *     surveyed, and pages that are protected again are surveyed again. What it finds decides
 *     nothing.
 *  2. In the stop, after the commit: nobody is in their code, and nobody comes there any more. The
 *     registers of all threads, the pages with what the survey found, those written since, and the
 *     stacks from their stack pointers up have no pointer: then nothing has, and nothing can come
 *     to point there.
 *
 * What cannot be decided in little time is left undecided: a stop of its own (retire.h) will.
 */
#ifndef PATCHER_LEAVING_H
#define PATCHER_LEAVING_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/pointer_search.h"
#include "patcher/session.h"
#include "patcher/stop.h"
#include "patcher/stop_threads.h"
#include "patcher/stored_ranges.h"

enum vg_leaving_verdict {
	VG_LEAVING_UNDECIDED,
	VG_LEAVING_FREE,  /* nothing points into it, nobody runs it */
	VG_LEAVING_STAYS, /* `why` */
};

struct vg_leaving_patch {
	uint64_t primary; /* the address of its primary area */
	struct vg_stored_ranges stored;
	enum vg_leaving_verdict verdict;
	char *why; /* as the end of a sentence */
};

struct vg_leaving {
	struct vg_session *session;
	struct vg_leaving_patch *patches;
	size_t count;
	struct vg_suspects suspects;
	struct vg_suspects taken;   /* pages that the survey has to look at again */
	struct vg_suspects written; /* those that the stop has listed for its own search */
	/* Made by the survey, for the stop too. */
	int pagemap;		  /* vg_pages_open(), or -1 */
	struct vg_maps_file maps; /* of the survey */
	bool has_guard;
	bool may_be_held_back; /* pages: see pieces.h */
	uint64_t guard;
	struct vg_leaving_room *room; /* to read into */
	bool has_written;  /* the commit, to what is searched, after the stop has listed it */
	bool is_brief;	   /* rather undecided than long: the stop is for something else */
	uint64_t surveyed; /* bytes */
	bool is_tracked;   /* the survey counts: pages written since are told apart */
	char *found;	   /* what the survey found outside of stacks, or NULL */
};

#define VG_LEAVING_NONE                                                                            \
	(struct vg_leaving)                                                                        \
	{                                                                                          \
		.pagemap = -1, .maps = VG_MAPS_FILE_NONE                                           \
	}

/* Target running. */
VG_MUST_CHECK struct vg_error *vg_leaving_add(struct vg_leaving *leaving,
					      const struct vg_installed *installed);
void vg_leaving_clear(struct vg_leaving *leaving);

/* Step 1. */
VG_MUST_CHECK struct vg_error *vg_leaving_survey(struct vg_leaving *leaving);
/* Pages that were written since and are protected again: a vg_written_fn. */
void vg_leaving_take(void *leaving, uint64_t start, uint64_t end);
/* Surveys these. */
VG_MUST_CHECK struct vg_error *vg_leaving_survey_taken(struct vg_leaving *leaving);
/*
 * Step 2. Whatever goes wrong leaves verdicts undecided: the commit is made, and memory that stays
 * harms nobody.
 */
void vg_leaving_decide(struct vg_leaving *leaving, const struct vg_stop_hooks *stop);

/* The one with that primary area, or NULL. */
const struct vg_leaving_patch *vg_leaving_find(const struct vg_leaving *leaving, uint64_t primary);

#endif
