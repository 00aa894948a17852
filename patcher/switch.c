/* SPDX-License-Identifier: MIT */
#include "patcher/switch.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/chain.h"
#include "patcher/registration.h"
#include "patcher/replace.h"
#include "patcher/stub.h"

#define BREAKPOINT 0xcc /* int3 */

static struct vg_error *store(const struct vg_memory *memory, uint64_t address, uint64_t value)
{
	return vg_memory_write(memory, address, &value, sizeof(value));
}

static struct vg_error *store_state(const struct vg_memory *memory, uint64_t primary,
				    enum vga_state state)
{
	return store(memory, primary + offsetof(struct vga_header, state), state);
}

/* One byte of the word differs, so the store can't be seen half made. */
static struct vg_error *store_switch(const struct vg_memory *memory, uint64_t primary, bool on)
{
	return store(memory, primary + offsetof(struct vga_header, switch_word), on);
}

static struct vg_error *compare_entry(const struct vg_memory *memory,
				      const struct vga_function *record)
{
	uint8_t now[VGP_JUMP_BYTES];

	VG_TRY(vg_memory_read(memory, record->entry, now, sizeof(now)));
	if (memcmp(now, record->saved, sizeof(now)) == 0)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "the code at 0x%" PRIx64 " changed while the patch was being prepared",
			    record->entry);
}

static struct vg_error *arm_entry(const struct vg_memory *memory, const struct vga_function *record)
{
	uint8_t jump[VGP_JUMP_BYTES];

	if (!vg_stub_entry_jump(record->entry, record->dispatcher, jump))
		return vg_error_new(VG_FAILED, "the patch area is out of reach");
	return vg_memory_write(memory, record->entry, jump, sizeof(jump));
}

/* Calls `work` for each record of a plan. */
static struct vg_error *for_each(const struct vg_memory *memory, const struct vg_plan *plan,
				 struct vg_error *(*work)(const struct vg_memory *memory,
							  const struct vga_function *record))
{
	for (size_t a = 0; a < plan->count; a++)
		for (size_t i = 0; i < plan->areas[a].layout.function_count; i++)
			VG_TRY(work(memory, &vg_plan_functions(&plan->areas[a])[i]));
	return NULL;
}

/* Writes back what stood at the entry, unless it stands there. */
static struct vg_error *restore_entry(const struct vg_memory *memory,
				      const struct vga_function *record)
{
	return vg_memory_write(memory, record->entry, record->saved, VGP_JUMP_BYTES);
}

/* All that changed functions have below them once no other patch is there. */
static void settle(struct vga_function *record, const struct vg_patch *patch)
{
	record->below = record->displaced;
	memcpy(record->saved, patch->functions[record->function].entry, VGP_JUMP_BYTES);
}

/*
 * All slots of an area in one write: the other fields of the records keep their values. `alone`: of
 * this patch, and nothing is below it any more; or NULL.
 */
static struct vg_error *store_slots(const struct vg_memory *memory, uint64_t address,
				    const struct vga_function *records, size_t count, bool on,
				    const struct vg_patch *alone)
{
	_cleanup_free_ struct vga_function *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return vg_error_new(VG_FAILED, "out of memory for the slots of a patch");
	for (size_t i = 0; i < count; i++) {
		copy[i] = records[i];
		copy[i].slot = on ? records[i].new_code : records[i].select;
		if (alone)
			settle(&copy[i], alone);
	}
	return count ? vg_memory_write(memory, address, copy, count * sizeof(*copy)) : NULL;
}

static struct vg_error *store_plan_slots(const struct vg_memory *memory, const struct vg_plan *plan)
{
	const struct vg_patch *alone = vg_patch_replaces(plan->patch) ? plan->patch : NULL;

	for (size_t i = 0; i < plan->count; i++) {
		const struct vg_plan_area *area = &plan->areas[i];

		VG_TRY(store_slots(memory, area->address + area->layout.functions_offset,
				   vg_plan_functions(area), area->layout.function_count, true,
				   alone));
	}
	return NULL;
}

static struct vg_error *arm_all(const struct vg_memory *memory, const struct vg_plan *plan)
{
	VG_TRY(store_state(memory, plan->areas[VG_PRIMARY_MODULE].address, VGA_ARMING));
	VG_TRY(vg_registration_on(memory, plan));
	return for_each(memory, plan, arm_entry);
}

struct vg_error *vg_switch_state(const struct vg_memory *memory, uint64_t primary,
				 enum vga_state state)
{
	return store_state(memory, primary, state);
}

struct vg_error *vg_switch_compare(const struct vg_memory *memory, const struct vg_plan *plan)
{
	return for_each(memory, plan, compare_entry);
}

/* Steps 2 to 4. */
static struct vg_error *commit_on(const struct vg_memory *memory, const struct vg_plan *plan,
				  const struct vg_areas *areas)
{
	uint64_t primary = plan->areas[VG_PRIMARY_MODULE].address;

	VG_TRY(arm_all(memory, plan));
	if (vg_patch_replaces(plan->patch))
		VG_TRY(vg_replace_tie(memory, areas,
				      primary + offsetof(struct vga_header, switch_word)));
	return store_switch(memory, primary, true);
}

/* What can't be undone here is left to recovery: the journal says ARMING. */
static struct vg_error *undo_on(const struct vg_memory *memory, const struct vg_plan *plan,
				const struct vg_areas *areas)
{
	if (vg_patch_replaces(plan->patch))
		VG_TRY(vg_replace_untie(memory, areas));
	VG_TRY(for_each(memory, plan, restore_entry));
	VG_TRY(vg_registration_undo(memory, plan));
	return store_state(memory, plan->areas[VG_PRIMARY_MODULE].address, VGA_READY);
}

struct vg_error *vg_switch_on(const struct vg_memory *memory, const struct vg_plan *plan,
			      const struct vg_areas *areas, enum vga_state on)
{
	struct vg_error *error;

	VG_TRY(for_each(memory, plan, compare_entry));
	error = commit_on(memory, plan, areas);
	if (error) {
		vg_error_free(undo_on(memory, plan, areas));
		return error;
	}
	if (vg_patch_replaces(plan->patch))
		VG_TRY(vg_replace_disarm(memory, areas));
	VG_TRY(store_plan_slots(memory, plan));
	if (vg_patch_replaces(plan->patch)) {
		VG_TRY(vg_registration_replace_plan(memory, plan, areas));
		VG_TRY(vg_replace_finish(memory, areas));
	}
	return store_state(memory, plan->areas[VG_PRIMARY_MODULE].address, on);
}

static struct vg_error *store_installed_slots(const struct vg_memory *memory,
					      const struct vg_installed *installed, bool on,
					      const struct vg_patch *alone)
{
	for (size_t i = 0; i < installed->area_count; i++) {
		const struct vg_area *area = &installed->areas[i];

		VG_TRY(store_slots(memory, vg_area_function_address(area, 0), area->functions,
				   area->header.function_count, on, alone));
	}
	return NULL;
}

struct vg_error *vg_switch_slots(const struct vg_memory *memory,
				 const struct vg_installed *installed, bool on)
{
	return store_installed_slots(memory, installed, on, NULL);
}

static uint64_t primary_address(const struct vg_installed *installed)
{
	return installed->areas[0].header.area_address;
}

struct vg_error *vg_switch_finish_on(const struct vg_memory *memory,
				     const struct vg_installed *installed,
				     const struct vg_areas *areas, enum vga_state on)
{
	bool replaces = installed->state == VGA_ARMING && vg_patch_replaces(installed->object);

	if (replaces)
		VG_TRY(vg_replace_disarm(memory, areas));
	VG_TRY(store_installed_slots(memory, installed, true, replaces ? installed->object : NULL));
	if (replaces) {
		VG_TRY(vg_registration_replace(memory, installed, areas));
		VG_TRY(vg_replace_finish(memory, areas));
	}
	return store_state(memory, primary_address(installed), on);
}

/*
 * Does the entry lead to this patch? Then it is the newest of the chain. An entry that is gone with
 * its module (dlclose) leads nowhere. *first: its first byte, see vg_chain_is_jump_to().
 */
static bool is_armed(const struct vg_memory *memory, const struct vga_function *record,
		     uint8_t *first)
{
	uint8_t now[VGP_JUMP_BYTES];
	bool is_read = vg_memory_read_some(memory, record->entry, now, sizeof(now)) == sizeof(now);

	*first = now[0];
	return is_read && vg_chain_is_jump_to(record, now);
}

/*
 * The patch directly above: its `below` leads to this one, and its `saved` is the jump to it. The
 * two are looked at apart, because an interrupted run may have changed only one.
 */
static struct vg_error *bypass_in(const struct vg_memory *memory, const struct vg_area *area,
				  size_t i, const struct vga_function *removed)
{
	const struct vga_function *above = &area->functions[i];
	uint64_t address = vg_area_function_address(area, i);
	uint8_t jump[VGP_JUMP_BYTES];

	if (above->entry != removed->entry || above->dispatcher == removed->dispatcher)
		return NULL;
	if (above->below == removed->dispatcher)
		VG_TRY(store(memory, address + offsetof(struct vga_function, below),
			     vg_chain_below_without(above, removed)));
	if (vg_stub_entry_jump(removed->entry, removed->dispatcher, jump) &&
	    memcmp(above->saved, jump, sizeof(jump)) == 0)
		VG_TRY(vg_memory_write(memory, address + offsetof(struct vga_function, saved),
				       removed->saved, VGP_JUMP_BYTES));
	return NULL;
}

static struct vg_error *bypass(const struct vg_memory *memory, const struct vga_function *removed,
			       const struct vg_areas *areas)
{
	for (size_t p = 0; p < areas->count; p++) {
		const struct vg_installed *installed = &areas->patches[p];

		for (size_t a = 0; vg_installed_is_linked(installed) && a < installed->area_count;
		     a++)
			for (size_t i = 0; i < installed->areas[a].header.function_count; i++)
				VG_TRY(bypass_in(memory, &installed->areas[a], i, removed));
	}
	return NULL;
}

struct vg_error *vg_switch_disarm(const struct vg_memory *memory, const struct vga_function *record,
				  bool *was)
{
	uint8_t first;

	*was = is_armed(memory, record, &first);
	if (!*was)
		return NULL;
	/* Whose breakpoint it is does not matter: that byte is theirs. */
	if (first == BREAKPOINT)
		return vg_memory_write(memory, record->entry + 1, record->saved + 1,
				       VGP_JUMP_BYTES - 1);
	return restore_entry(memory, record);
}

/* Step 4 of off, for one function. An entry that was never armed is left alone. */
static struct vg_error *unlink_function(const struct vg_memory *memory,
					const struct vga_function *record,
					const struct vg_areas *areas)
{
	bool armed;

	VG_TRY(vg_switch_disarm(memory, record, &armed));
	return armed ? NULL : bypass(memory, record, areas);
}

struct vg_error *vg_switch_finish_off(const struct vg_memory *memory,
				      const struct vg_installed *installed,
				      const struct vg_areas *areas, enum vga_state off)
{
	for (size_t a = 0; a < installed->area_count; a++)
		for (size_t i = 0; i < installed->areas[a].header.function_count; i++)
			VG_TRY(unlink_function(memory, &installed->areas[a].functions[i], areas));
	VG_TRY(vg_registration_off(memory, installed, areas));
	return store_state(memory, primary_address(installed), off);
}

struct vg_error *vg_switch_off(const struct vg_memory *memory, const struct vg_installed *installed,
			       const struct vg_areas *areas, enum vga_state off)
{
	uint64_t primary = primary_address(installed);

	VG_TRY(store_state(memory, primary, VGA_REVERTING));
	VG_TRY(vg_switch_slots(memory, installed, false));
	VG_TRY(store_switch(memory, primary, false));
	return vg_switch_finish_off(memory, installed, areas, off);
}
