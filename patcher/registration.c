/* SPDX-License-Identifier: MIT */
#include "patcher/registration.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "patcher/replace.h"
#include "patcher/result.h"

static const char symbol_name[] = "_dl_find_object";
static const char symbol_version[] = "GLIBC_2.35";

static struct vga_registration *of_plan(const struct vg_plan_area *area)
{
	return (struct vga_registration *)(area->image + area->layout.registration_offset);
}

static uint64_t registration_address(const struct vg_area *area)
{
	return area->header.area_address + area->header.registration_offset;
}

/* The content of an area is untrusted: a count out of range must not lead anywhere. */
static struct vg_error *read_registration(const struct vg_memory *memory,
					  const struct vg_area *area,
					  struct vga_registration *registration)
{
	uint64_t code = area->header.area_address + area->header.unwind_offset;

	VG_TRY(vg_memory_read(memory, registration_address(area), registration,
			      sizeof(*registration)));
	if (registration->slot_count <= VGA_GOT_SLOTS &&
	    (!registration->find_object || registration->find_object == code))
		return NULL;
	return vg_error_new(VG_FAILED,
			    "the patch area at 0x%" PRIx64
			    " is damaged (registration); restart the target to be rid of it",
			    area->header.area_address);
}

/* Calls `work` for every area that may be in the chain, until it returns an error. */
static struct vg_error *for_each_linked(
	const struct vg_memory *memory, const struct vg_areas *all,
	struct vg_error *(*work)(const struct vg_memory *memory, const struct vg_area *area,
				 const struct vga_registration *registration, void *context),
	void *context)
{
	for (size_t p = 0; p < all->count; p++) {
		const struct vg_installed *installed = &all->patches[p];

		for (size_t a = 0; vg_installed_is_linked(installed) && a < installed->area_count;
		     a++) {
			struct vga_registration registration;

			VG_TRY(read_registration(memory, &installed->areas[a], &registration));
			/* cppcheck-suppress returnDanglingLifetime; an error holds no pointer */
			VG_TRY(work(memory, &installed->areas[a], &registration, context));
		}
	}
	return NULL;
}

/* ---- planning */

struct chain_link {
	uint64_t find_object;
	bool is_led_to;
};

static struct vg_error *look_for_link(const struct vg_memory *memory, const struct vg_area *area,
				      const struct vga_registration *registration, void *context)
{
	struct chain_link *link = context;

	(void)memory;
	(void)area;
	link->is_led_to |= registration->next == link->find_object;
	return NULL;
}

struct head_search {
	const struct vg_areas *all;
	uint64_t head;
};

/* The area that no other leads to. */
static struct vg_error *look_for_head(const struct vg_memory *memory, const struct vg_area *area,
				      const struct vga_registration *registration, void *context)
{
	struct head_search *search = context;
	struct chain_link link = {.find_object = registration->find_object};

	(void)area;
	if (!link.find_object)
		return NULL;
	VG_TRY(for_each_linked(memory, search->all, look_for_link, &link));
	if (!link.is_led_to)
		search->head = link.find_object;
	return NULL;
}

/* Where lookups go that are no patch's business; 0: nowhere. */
static uint64_t find_definition(const struct vg_scope *scope)
{
	const struct vg_dynamic *definer;
	const Elf64_Sym *symbol = vg_scope_find(scope, symbol_name, "", symbol_version, &definer);

	if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
		return 0;
	return definer->module->bias + symbol->st_value;
}

static bool is_private(const struct vg_scope *scope, uint64_t address)
{
	const struct vg_map *map = vg_maps_find(&scope->session->maps, address);

	return map && !map->shared && !map->executable && !(address % sizeof(uint64_t));
}

struct slot_search {
	const struct vg_scope *scope;
	struct vga_registration *registration;
	uint64_t definition, head;
	unsigned left_alone;
};

static void look_at_slot(struct slot_search *search, const struct vg_dynamic *user,
			 uint64_t address)
{
	struct vga_registration *registration = search->registration;
	const struct vg_module *module = user->module;
	uint64_t value;

	if (vg_memory_read_some(search->scope->memory, address, &value, sizeof(value)) !=
	    sizeof(value))
		return;
	if (!is_private(search->scope, address) || registration->slot_count == VGA_GOT_SLOTS ||
	    (value != search->definition && (!search->head || value != search->head) &&
	     (value < module->start || value >= module->end))) {
		search->left_alone++;
		return;
	}
	registration->slots[registration->slot_count++] =
		(struct vga_got_slot){.address = address, .saved = value};
}

static void find_slots(struct slot_search *search)
{
	const struct vg_scope *scope = search->scope;

	for (size_t m = 0; m < scope->count; m++) {
		const struct vg_dynamic *user = &scope->modules[m];

		for (size_t i = 0; i < user->reloc_count; i++) {
			const Elf64_Rela *reloc = &user->relocs[i];

			if (vg_scope_is_slot(reloc->r_info) &&
			    vg_dynamic_is_symbol(scope->memory, user, ELF64_R_SYM(reloc->r_info),
						 symbol_name, symbol_version))
				look_at_slot(search, user, user->module->bias + reloc->r_offset);
		}
	}
}

/* The areas of the plan, one above the other; the slots lead to the last. */
static void link_areas(struct vg_plan *plan, const struct vga_registration *found)
{
	uint64_t next = found->next;

	for (size_t i = 0; i < plan->count; i++) {
		const struct vg_plan_area *area = &plan->areas[i];
		struct vga_registration *registration = of_plan(area);

		*registration = *found;
		registration->find_object = area->address + area->layout.unwind_offset;
		registration->next = next;
		for (size_t s = 0; i > 0 && s < found->slot_count; s++)
			registration->slots[s].saved = next;
		next = registration->find_object;
	}
}

struct vg_error *vg_registration_plan(const struct vg_scope *scope, struct vg_plan *plan)
{
	struct vga_registration found = {0};
	struct head_search head = {.all = &scope->session->areas};
	struct slot_search slots = {.scope = scope, .registration = &found};

	slots.definition = find_definition(scope);
	if (!slots.definition) {
		vg_result_note(scope->session->result,
			       "process %d has no %s() (it is linked statically, or with a C "
			       "library other than glibc 2.35 or later): its own backtraces and "
			       "exceptions will end at patched functions",
			       scope->session->target.pid, symbol_name);
		return NULL;
	}
	VG_TRY(for_each_linked(scope->memory, head.all, look_for_head, &head));
	slots.head = head.head;
	found.next = head.head ?: slots.definition;
	find_slots(&slots);
	if (slots.left_alone)
		vg_result_note(
			scope->session->result,
			"%u calls of %s() in process %d lead elsewhere and were left as they "
			"are: backtraces and exceptions there will end at patched functions",
			slots.left_alone, symbol_name, scope->session->target.pid);
	link_areas(plan, &found);
	return NULL;
}

/* ---- the stores */

static struct vg_error *store(const struct vg_memory *memory, uint64_t address, uint64_t value)
{
	return vg_memory_write(memory, address, &value, sizeof(value));
}

struct vg_error *vg_registration_on(const struct vg_memory *memory, const struct vg_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct vga_registration *registration = of_plan(&plan->areas[i]);

		for (size_t s = 0; s < registration->slot_count; s++)
			VG_TRY(store(memory, registration->slots[s].address,
				     registration->find_object));
	}
	return NULL;
}

/*
 * A module may have been unloaded since: its slot is gone, or the memory is somebody else's. What
 * holds the address of find_object is ours.
 */
static struct vg_error *restore_slots(const struct vg_memory *memory,
				      const struct vga_registration *registration)
{
	for (size_t s = 0; s < registration->slot_count; s++) {
		const struct vga_got_slot *slot = &registration->slots[s];
		uint64_t now;

		if (vg_memory_read_some(memory, slot->address, &now, sizeof(now)) == sizeof(now) &&
		    now == registration->find_object)
			VG_TRY(store(memory, slot->address, slot->saved));
	}
	return NULL;
}

struct vg_error *vg_registration_undo(const struct vg_memory *memory, const struct vg_plan *plan)
{
	for (size_t i = plan->count; i-- > 0;)
		if (of_plan(&plan->areas[i])->find_object)
			VG_TRY(restore_slots(memory, of_plan(&plan->areas[i])));
	return NULL;
}

static uint64_t saved_at(const struct vga_registration *registration, uint64_t address)
{
	for (size_t s = 0; s < registration->slot_count; s++)
		if (registration->slots[s].address == address)
			return registration->slots[s].saved;
	return registration->next;
}

/*
 * The area directly above: its `next` leads to the removed one, and so does what it saved of the
 * slots. Each is looked at apart, because an interrupted run may have changed only some.
 */
static struct vg_error *bypass(const struct vg_memory *memory, const struct vg_area *area,
			       const struct vga_registration *above, void *context)
{
	const struct vga_registration *removed = context;
	uint64_t at = registration_address(area);

	if (above->find_object == removed->find_object)
		return NULL;
	if (above->next == removed->find_object)
		VG_TRY(store(memory, at + offsetof(struct vga_registration, next), removed->next));
	for (size_t s = 0; s < above->slot_count; s++)
		if (above->slots[s].saved == removed->find_object)
			VG_TRY(store(memory,
				     at + offsetof(struct vga_registration, slots) +
					     s * sizeof(struct vga_got_slot) +
					     offsetof(struct vga_got_slot, saved),
				     saved_at(removed, above->slots[s].address)));
	return NULL;
}

struct vg_error *vg_registration_off(const struct vg_memory *memory,
				     const struct vg_installed *installed,
				     const struct vg_areas *all)
{
	for (size_t a = 0; a < installed->area_count; a++) {
		struct vga_registration removed;

		VG_TRY(read_registration(memory, &installed->areas[a], &removed));
		if (!removed.find_object)
			continue;
		VG_TRY(for_each_linked(memory, all, bypass, &removed));
		VG_TRY(restore_slots(memory, &removed));
	}
	return NULL;
}

/* ---- replacing */

/* What stands below an area in the chain: its `next`, or what it saved of a slot. */
static uint64_t below_of(const struct vga_registration *registration, uint64_t slot)
{
	return slot ? saved_at(registration, slot) : registration->next;
}

/* The next step down, if `value` leads to an area that is replaced. */
static struct vg_error *step_down(const struct vg_memory *memory, const struct vg_areas *all,
				  uint64_t slot, uint64_t *value)
{
	for (size_t p = 0; p < all->count; p++) {
		const struct vg_installed *older = &all->patches[p];

		for (size_t a = 0; vg_replace_is_older(older) && a < older->area_count; a++) {
			struct vga_registration registration;

			VG_TRY(read_registration(memory, &older->areas[a], &registration));
			if (registration.find_object && registration.find_object == *value) {
				*value = below_of(&registration, slot);
				return NULL;
			}
		}
	}
	return NULL;
}

static size_t count_areas(const struct vg_areas *all)
{
	size_t count = 0;

	for (size_t p = 0; p < all->count; p++)
		count += all->patches[p].area_count;
	return count;
}

/* As many steps as there are areas end any chain that is none. */
static struct vg_error *descend(const struct vg_memory *memory, const struct vg_areas *all,
				uint64_t slot, uint64_t *value)
{
	for (size_t steps = count_areas(all); steps-- > 0;)
		VG_TRY(step_down(memory, all, slot, value));
	return NULL;
}

static struct vg_error *settle(const struct vg_memory *memory, const struct vg_areas *all,
			       uint64_t address)
{
	struct vga_registration registration;

	VG_TRY(vg_memory_read(memory, address, &registration, sizeof(registration)));
	if (!registration.find_object || registration.slot_count > VGA_GOT_SLOTS)
		return NULL;
	VG_TRY(descend(memory, all, 0, &registration.next));
	for (size_t s = 0; s < registration.slot_count; s++)
		VG_TRY(descend(memory, all, registration.slots[s].address,
			       &registration.slots[s].saved));
	return vg_memory_write(memory, address, &registration, sizeof(registration));
}

/* From the newest down: a slot that an older patch alone knows goes back step by step. */
static struct vg_error *release(const struct vg_memory *memory, const struct vg_areas *all)
{
	for (size_t p = all->count; p-- > 0;) {
		const struct vg_installed *older = &all->patches[p];

		for (size_t a = vg_replace_is_older(older) ? older->area_count : 0; a-- > 0;) {
			struct vga_registration registration;

			VG_TRY(read_registration(memory, &older->areas[a], &registration));
			if (registration.find_object)
				VG_TRY(restore_slots(memory, &registration));
		}
	}
	return NULL;
}

struct vg_error *vg_registration_replace_plan(const struct vg_memory *memory,
					      const struct vg_plan *plan,
					      const struct vg_areas *all)
{
	for (size_t i = 0; i < plan->count; i++)
		VG_TRY(settle(memory, all,
			      plan->areas[i].address + plan->areas[i].layout.registration_offset));
	return release(memory, all);
}

struct vg_error *vg_registration_replace(const struct vg_memory *memory,
					 const struct vg_installed *installed,
					 const struct vg_areas *all)
{
	for (size_t a = 0; a < installed->area_count; a++)
		VG_TRY(settle(memory, all, registration_address(&installed->areas[a])));
	return release(memory, all);
}
