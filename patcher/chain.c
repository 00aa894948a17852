/* SPDX-License-Identifier: MIT */
#include "patcher/chain.h"

#include <string.h>

#include "patcher/stub.h"

bool vg_chain_holds(const struct vg_installed *installed, uint64_t entry, struct vg_link *link)
{
	if (!vg_installed_is_linked(installed))
		return false;
	for (size_t a = 0; a < installed->area_count; a++)
		for (size_t i = 0; i < installed->areas[a].header.function_count; i++) {
			if (installed->areas[a].functions[i].entry != entry)
				continue;
			*link = (struct vg_link){.installed = (struct vg_installed *)installed,
						 .area = &installed->areas[a],
						 .index = i};
			return true;
		}
	return false;
}

/* Patches are sorted by sequence, the oldest first. */
bool vg_chain_top(const struct vg_areas *areas, uint64_t entry, struct vg_link *link)
{
	for (size_t i = areas->count; i-- > 0;)
		if (vg_chain_holds(&areas->patches[i], entry, link))
			return true;
	return false;
}

bool vg_chain_bottom(const struct vg_areas *areas, uint64_t entry, struct vg_link *link)
{
	for (size_t i = 0; i < areas->count; i++)
		if (vg_chain_holds(&areas->patches[i], entry, link))
			return true;
	return false;
}

static bool leads_to(const struct vg_memory *memory, uint64_t entry, uint64_t dispatcher)
{
	uint8_t now[VGP_JUMP_BYTES];
	uint64_t target;

	return vg_memory_read_some(memory, entry, now, sizeof(now)) == sizeof(now) &&
	       vg_stub_jump_target(entry, now, &target) && target == dispatcher;
}

bool vg_chain_is_whole(const struct vg_memory *memory, const struct vg_areas *areas,
		       const struct vg_installed *installed)
{
	for (size_t a = 0; a < installed->area_count; a++)
		for (size_t i = 0; i < installed->areas[a].header.function_count; i++) {
			uint64_t entry = installed->areas[a].functions[i].entry;
			struct vg_link top;

			if (!vg_chain_top(areas, entry, &top) ||
			    !leads_to(memory, entry, vg_link_record(&top)->dispatcher))
				return false;
		}
	return true;
}

bool vg_chain_is_jump_to(const struct vga_function *record, const uint8_t bytes[VGP_JUMP_BYTES])
{
	uint8_t jump[VGP_JUMP_BYTES];

	return vg_stub_entry_jump(record->entry, record->dispatcher, jump) &&
	       memcmp(bytes + 1, jump + 1, VGP_JUMP_BYTES - 1) == 0;
}

uint64_t vg_chain_below_without(const struct vga_function *above,
				const struct vga_function *removed)
{
	return removed->below == removed->displaced ? above->displaced : removed->below;
}
