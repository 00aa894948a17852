/* SPDX-License-Identifier: MIT */
#include "patcher/replace.h"

#include <stddef.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "patcher/stub.h"
#include "patcher/switch.h"

/* Recovery has seen to everything else before a patch goes in. */
bool vg_replace_is_older(const struct vg_installed *installed)
{
	return installed->state == VGA_APPLIED || installed->state == VGA_REPLACED;
}

static uint64_t primary_of(const struct vg_installed *installed)
{
	return installed->areas[0].header.area_address;
}

static struct vg_error *write_stubs(const struct vg_memory *memory, const struct vg_area *area,
				    uint64_t switch_word, bool replaced)
{
	const struct vga_header *header = &area->header;
	_cleanup_free_ uint8_t *stubs = malloc(header->stubs_bytes + 1);

	if (!stubs)
		return vg_error_new(VG_FAILED, "out of memory for the stubs of a patch");
	for (size_t i = 0; i < header->function_count; i++)
		vg_stub_write(&area->functions[i], vg_area_function_address(area, i), switch_word,
			      replaced, stubs + i * VG_STUB_BYTES);
	if (!header->stubs_bytes)
		return NULL;
	return vg_memory_write(memory, header->area_address + header->stubs_offset, stubs,
			       header->stubs_bytes);
}

static struct vg_error *write_all_stubs(const struct vg_memory *memory,
					const struct vg_installed *installed, uint64_t switch_word,
					bool replaced)
{
	for (size_t i = 0; i < installed->area_count; i++)
		VG_TRY(write_stubs(memory, &installed->areas[i], switch_word, replaced));
	return NULL;
}

struct vg_error *vg_replace_tie(const struct vg_memory *memory, const struct vg_areas *areas,
				uint64_t switch_word)
{
	for (size_t i = 0; i < areas->count; i++) {
		const struct vg_installed *older = &areas->patches[i];

		if (!vg_replace_is_older(older))
			continue;
		VG_TRY(vg_switch_state(memory, primary_of(older), VGA_REPLACED));
		VG_TRY(write_all_stubs(memory, older, switch_word, true));
		VG_TRY(vg_switch_slots(memory, older, false));
	}
	return NULL;
}

struct vg_error *vg_replace_untie(const struct vg_memory *memory, const struct vg_areas *areas)
{
	for (size_t i = 0; i < areas->count; i++) {
		const struct vg_installed *older = &areas->patches[i];
		uint64_t own = primary_of(older) + offsetof(struct vga_header, switch_word);

		if (!vg_replace_is_older(older))
			continue;
		VG_TRY(vg_switch_slots(memory, older, true));
		VG_TRY(write_all_stubs(memory, older, own, false));
		VG_TRY(vg_switch_state(memory, primary_of(older), VGA_APPLIED));
	}
	return NULL;
}

/*
 * From the newest to the oldest: each leaves at the entry the jump to the one below it, the last
 * the original bytes. An entry that leads to the replacing patch is left alone.
 */
struct vg_error *vg_replace_disarm(const struct vg_memory *memory, const struct vg_areas *areas)
{
	bool was;

	for (size_t p = areas->count; p-- > 0;) {
		const struct vg_installed *older = &areas->patches[p];

		for (size_t a = 0; vg_replace_is_older(older) && a < older->area_count; a++)
			for (size_t i = 0; i < older->areas[a].header.function_count; i++)
				VG_TRY(vg_switch_disarm(memory, &older->areas[a].functions[i],
							&was));
	}
	return NULL;
}

struct vg_error *vg_replace_finish(const struct vg_memory *memory, const struct vg_areas *areas)
{
	for (size_t i = areas->count; i-- > 0;)
		if (vg_replace_is_older(&areas->patches[i]))
			VG_TRY(vg_switch_state(memory, primary_of(&areas->patches[i]),
					       VGA_DISARMED));
	return NULL;
}

static struct vg_error *no_memory(void)
{
	return vg_error_new(VG_FAILED, "out of memory for the patches that are replaced");
}

struct vg_error *vg_replace_check_areas(struct vg_replace_check *check,
					const struct vg_code_area *areas, size_t count)
{
	struct vg_code_area *grown =
		reallocarray(check->areas, check->area_count + count + 1, sizeof(*grown));

	if (!grown)
		return no_memory();
	check->areas = grown;
	for (size_t i = 0; i < count; i++)
		grown[check->area_count++] = areas[i];
	return NULL;
}

struct vg_error *vg_replace_check_entries(struct vg_replace_check *check, const uint64_t *entries,
					  size_t count)
{
	uint64_t *grown =
		reallocarray(check->entries, check->entry_count + count + 1, sizeof(*grown));

	if (!grown)
		return no_memory();
	check->entries = grown;
	for (size_t i = 0; i < count; i++)
		grown[check->entry_count++] = entries[i];
	return NULL;
}

static struct vg_error *add_area(struct vg_replace_check *check, const struct vg_area *area,
				 const char *name, bool whole)
{
	const struct vga_header *header = &area->header;
	uint64_t start = header->area_address + header->stubs_offset;
	struct vg_code_area code = {.start = start,
				    .end = whole ? header->area_address + header->text_offset +
							   header->text_bytes
						 : start + header->stubs_bytes,
				    .name = name};

	VG_TRY(vg_replace_check_areas(check, &code, 1));
	for (size_t i = 0; i < header->function_count; i++)
		VG_TRY(vg_replace_check_entries(check, &area->functions[i].entry, 1));
	return NULL;
}

static struct vg_error *prepare(const struct vg_areas *areas, bool whole,
				struct vg_replace_check *check)
{
	for (size_t p = 0; p < areas->count; p++) {
		const struct vg_installed *older = &areas->patches[p];

		if (!vg_replace_is_older(older))
			continue;
		if (whole)
			VG_TRY(vg_ranges_revert(older, &check->ranges));
		for (size_t a = 0; a < older->area_count; a++)
			VG_TRY(add_area(check, &older->areas[a], vg_installed_name(older), whole));
	}
	return NULL;
}

struct vg_error *vg_replace_prepare(const struct vg_areas *areas, struct vg_replace_check *check)
{
	return prepare(areas, true, check);
}

struct vg_error *vg_replace_prepare_untie(const struct vg_areas *areas,
					  struct vg_replace_check *check)
{
	return prepare(areas, false, check);
}

void vg_replace_check_request(const struct vg_replace_check *check, struct vg_stop_request *request)
{
	request->entries = check->entries;
	request->entry_count = check->entry_count;
	request->areas = check->areas;
	request->area_count = check->area_count;
}

void vg_replace_check_clear(struct vg_replace_check *check)
{
	vg_ranges_clear(&check->ranges);
	free(check->areas);
	free(check->entries);
	*check = (struct vg_replace_check){0};
}
