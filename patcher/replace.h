/* SPDX-License-Identifier: MIT */
/*
 * A patch that replaces all others (VGP_REPLACE), in one stop and by one store.
 *
 * The older patches are tied to the switch word of the new one: their select stubs are written
 * anew, so that they ask that word and take it the other way round, and their slots go to select.
 * The journal of each says REPLACED.
 *
 *                      the replacing patch    a patch that it replaces
 *   its switch 0       below: the older ones  its new code
 *   its switch 1       its new code           below: down to the original code
 *
 * So the one store (switch.h, step 4) turns the new patch on and all others off, wherever they lie,
 * and a function that only older patches changed is back at its original code. In the same stop:
 *
 *   tie      before the commit        journal REPLACED, stubs, slots to select
 *   untie    instead of the commit    slots to new, stubs, journal APPLIED
 *   disarm   after the commit         entries that still lead to older patches get their bytes back
 *            (then the records of the new patch: below is the original code, saved its bytes)
 *   finish                            journal of the older ones: DISARMED, newest first
 *
 * Their shadow variables have been carried into the new patch before (shadows.h).
 *
 * Killed in between, recovery looks at the new patch first (it is the newest), and its switch word
 * says whether to untie or to disarm and finish; every step can be made again.
 *
 * Hooks of the older patches are not run: what they would undo is the business of the hooks of the
 * patch that replaces them.
 *
 * Thread context: all threads stopped, none in the code or stubs of the older patches.
 */
#ifndef PATCHER_REPLACE_H
#define PATCHER_REPLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "patcher/area.h"
#include "patcher/memory.h"
#include "patcher/ranges.h"
#include "patcher/stop.h"

VG_MUST_CHECK struct vg_error *vg_replace_tie(const struct vg_memory *memory,
					      const struct vg_areas *areas, uint64_t switch_word);
VG_MUST_CHECK struct vg_error *vg_replace_untie(const struct vg_memory *memory,
						const struct vg_areas *areas);
VG_MUST_CHECK struct vg_error *vg_replace_disarm(const struct vg_memory *memory,
						 const struct vg_areas *areas);
VG_MUST_CHECK struct vg_error *vg_replace_finish(const struct vg_memory *memory,
						 const struct vg_areas *areas);

/* The older patches that a replacing patch takes out: what their journals say. */
bool vg_replace_is_older(const struct vg_installed *installed);

/* What a stop must know of the older patches, behind what the caller has put there already. */
struct vg_replace_check {
	struct vg_ranges ranges; /* their code: none may be on a stack */
	struct vg_code_area *areas;
	size_t area_count;
	uint64_t *entries;
	size_t entry_count;
};
/* Target running. For tie, disarm and finish; `check` is cleared by the caller. */
VG_MUST_CHECK struct vg_error *vg_replace_prepare(const struct vg_areas *areas,
						  struct vg_replace_check *check);
/* For untie: the stubs alone. */
VG_MUST_CHECK struct vg_error *vg_replace_prepare_untie(const struct vg_areas *areas,
							struct vg_replace_check *check);
VG_MUST_CHECK struct vg_error *vg_replace_check_areas(struct vg_replace_check *check,
						      const struct vg_code_area *areas,
						      size_t count);
VG_MUST_CHECK struct vg_error *vg_replace_check_entries(struct vg_replace_check *check,
							const uint64_t *entries, size_t count);
/* Entries and areas; the caller puts the ranges together. */
void vg_replace_check_request(const struct vg_replace_check *check,
			      struct vg_stop_request *request);
void vg_replace_check_clear(struct vg_replace_check *check);

#endif
