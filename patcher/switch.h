/* SPDX-License-Identifier: MIT */
/*
 * The stores that turn a patch on and off, in the order of the journal (<vgraft/area.h>).
 *
 *   on:   1 entries compared   2 ARMING, known to the unwinder (registration.h)
 *         3 entries armed      4 switch 0 -> 1 (the commit)
 *         5 slots to new code  6 APPLIED
 *   off:  1 REVERTING          2 slots to select               3 switch 1 -> 0 (the commit)
 *         4 taken out of the chains, entries restored, unknown to the unwinder
 *         5 DISARMED
 *
 * A replacing patch takes the others out with the same commit: between 2 and 4 they are tied to its
 * switch word, and before 5 they are disarmed (replace.h).
 *
 * Every step can be made again from its beginning: that is how recovery finishes what a killed tool
 * began.
 *
 * Thread context: all threads of the target stopped.
 */
#ifndef PATCHER_SWITCH_H
#define PATCHER_SWITCH_H

#include <vgraft/error.h>

#include "patcher/area.h"
#include "patcher/memory.h"
#include "patcher/plan.h"

/* Do the entries still hold what they are expected to hold? Step 1 alone, for before the hooks. */
VG_MUST_CHECK struct vg_error *vg_switch_compare(const struct vg_memory *memory,
						 const struct vg_plan *plan);
/* The journal alone. */
VG_MUST_CHECK struct vg_error *vg_switch_state(const struct vg_memory *memory, uint64_t primary,
					       enum vga_state state);
/* `on` is APPLIED, or POST_APPLY when there are hooks to run first; `off` is likewise DISARMED, or
 * POST_REVERT.
 *
 * Turns on what `plan` has written; `areas` are the patches in the target. After an error before
 * the commit everything is as it was. */
VG_MUST_CHECK struct vg_error *vg_switch_on(const struct vg_memory *memory,
					    const struct vg_plan *plan,
					    const struct vg_areas *areas, enum vga_state on);
/* Steps 5 and 6, after those of a replacement: the switch word says new already. */
VG_MUST_CHECK struct vg_error *vg_switch_finish_on(const struct vg_memory *memory,
						   const struct vg_installed *installed,
						   const struct vg_areas *areas, enum vga_state on);
VG_MUST_CHECK struct vg_error *vg_switch_off(const struct vg_memory *memory,
					     const struct vg_installed *installed,
					     const struct vg_areas *areas, enum vga_state off);
/* Slots of a patch, all to the new code or to select. */
VG_MUST_CHECK struct vg_error *vg_switch_slots(const struct vg_memory *memory,
					       const struct vg_installed *installed, bool on);
/* Writes back what stood at the entry, if the entry leads to this record. *was: it did. */
VG_MUST_CHECK struct vg_error *vg_switch_disarm(const struct vg_memory *memory,
						const struct vga_function *record, bool *was);
/* Steps 4 and 5: the switch word says old already. */
VG_MUST_CHECK struct vg_error *vg_switch_finish_off(const struct vg_memory *memory,
						    const struct vg_installed *installed,
						    const struct vg_areas *areas,
						    enum vga_state off);

#endif
