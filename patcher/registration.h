/* SPDX-License-Identifier: MIT */
/*
 * Making the code of a patch known to the unwinder of the target, so that exceptions, backtrace()
 * and cancellation see through patched functions.
 *
 * libgcc's unwinder (gcc 12 on) asks _dl_find_object() of glibc (2.35 on) whose code a return
 * address is, through a GOT slot. The slot is made to lead to find_object in the patch area
 * (unwind_table.h), which answers for the area and hands all other questions on. That is one
 * aligned store, made while all threads are stopped and before any entry is armed, and undone the
 * same way after the switch word has turned the patch off; no function of the target is called, no
 * lock taken and nothing allocated, unlike with __register_frame().
 *
 * The areas of all patches form one chain, which every slot leads to the head of:
 *
 *   slot -> find_object of the newest area -> next -> … -> next of the oldest -> _dl_find_object
 *
 * A slot counts if it is bound to _dl_find_object, not bound yet (it leads back into its own
 * module), or leads to the chain. One that somebody else has changed is left alone. A module that
 * is loaded later has slots of its own, which the next patch will find.
 */
#ifndef PATCHER_REGISTRATION_H
#define PATCHER_REGISTRATION_H

#include <vgraft/error.h>

#include "patcher/area.h"
#include "patcher/memory.h"
#include "patcher/plan.h"
#include "patcher/scope.h"

/*
 * Fills the vga_registration of every area of the plan. Where there is nothing to register with,
 * the result gets a note. Thread context: target running.
 */
VG_MUST_CHECK struct vg_error *vg_registration_plan(const struct vg_scope *scope,
						    struct vg_plan *plan);

/* The slots lead to the areas of the plan. Thread context: all threads stopped. */
VG_MUST_CHECK struct vg_error *vg_registration_on(const struct vg_memory *memory,
						  const struct vg_plan *plan);
/* Undoes that, wholly or as far as it was made. */
VG_MUST_CHECK struct vg_error *vg_registration_undo(const struct vg_memory *memory,
						    const struct vg_plan *plan);
/*
 * Takes the areas of a patch out of the chain. Can be made again from its beginning. `all`: the
 * patches of the target. Thread context: all threads stopped.
 */
VG_MUST_CHECK struct vg_error *vg_registration_off(const struct vg_memory *memory,
						   const struct vg_installed *installed,
						   const struct vg_areas *all);

/*
 * The areas of a patch that replaces others stand alone in the chain: they and all slots lead to
 * what was below the replaced ones. `all`: the patches of the target, with or without the patch
 * itself. Can be made again from its beginning. Thread context: all threads stopped.
 */
VG_MUST_CHECK struct vg_error *vg_registration_replace_plan(const struct vg_memory *memory,
							    const struct vg_plan *plan,
							    const struct vg_areas *all);
VG_MUST_CHECK struct vg_error *vg_registration_replace(const struct vg_memory *memory,
						       const struct vg_installed *installed,
						       const struct vg_areas *all);

#endif
