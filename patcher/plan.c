/* SPDX-License-Identifier: MIT */
#include "patcher/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "patcher/entry.h"
#include "patcher/import.h"
#include "patcher/mapping.h"
#include "patcher/placement.h"
#include "patcher/registration.h"
#include "patcher/relocate.h"
#include "patcher/result.h"
#include "patcher/scope.h"
#include "patcher/stub.h"
#include "patcher/unwind_table.h"

static struct vg_error *no_memory(void)
{
	return vg_error_new(VG_FAILED, "out of memory for the image of a patch area");
}

static struct vg_error *allocate(struct vg_plan *plan, const struct vg_patch *patch)
{
	plan->patch = patch;
	plan->count = patch->module_count;
	plan->areas = calloc(patch->module_count + 1, sizeof(*plan->areas));
	plan->biases = calloc(patch->module_count + 1, sizeof(uint64_t));
	plan->segments = calloc(patch->segment_count + 1, sizeof(uint64_t));
	plan->imports = calloc(patch->import_count + 1, sizeof(uint64_t));
	plan->entries = calloc(patch->function_count + 1, sizeof(uint64_t));
	if (!plan->areas || !plan->biases || !plan->segments || !plan->imports || !plan->entries)
		return no_memory();
	return NULL;
}

/* Some programs copy their code to huge pages, which then lie where the file's code lay. */
static bool is_mapped(const struct vg_maps *maps, const char *name)
{
	for (size_t i = 0; i < maps->count; i++)
		if (strcmp(basename(maps->maps[i].path), name) == 0)
			return true;
	return false;
}

static struct vg_error *module_missing(const struct vg_session *session,
				       const struct vg_patch *patch,
				       const struct vgp_module *wanted)
{
	const char *name = vg_patch_string(patch, wanted->name);
	const struct vg_module *other = vg_modules_named(&session->modules, name);
	char wanted_id[2 * VGP_MAX_BUILD_ID + 1], other_id[2 * VGP_MAX_BUILD_ID + 1];

	vg_build_id_text(wanted->build_id, wanted->build_id_bytes, wanted_id);
	if (!other)
		return vg_error_new(VG_REFUSED,
				    "process %d has not loaded %s with build-id %s, which patch %s "
				    "is for%s",
				    session->target.pid, name, wanted_id, vg_patch_name(patch),
				    is_mapped(&session->maps, name)
					    ? "; it maps a file of that name, but the code is not "
					      "that file's (was it copied to huge pages?)"
					    : "");
	vg_build_id_text(other->build_id, other->build_id_bytes, other_id);
	return vg_error_new(VG_REFUSED,
			    "patch %s is for %s with build-id %s, but process %d runs build-id %s; "
			    "build the patch for that",
			    vg_patch_name(patch), name, wanted_id, session->target.pid,
			    *other_id ? other_id : "(none)");
}

/* An upgrade puts a new file at the path; what runs is the old one, and that is what is patched. */
static void note_replaced(const struct vg_session *session, const struct vg_module *module)
{
	const struct vg_map *map = vg_maps_find(&session->maps, module->start);
	pid_t pid = session->target.pid;
	char by[64];

	if (!map || !map->deleted)
		return;
	if (vg_mapping_is_exe(pid, map))
		snprintf(by, sizeof(by), "/proc/%d/exe", pid);
	else
		snprintf(by, sizeof(by), "/proc/%d/map_files/%lx-%lx", pid, map->start, map->end);
	vg_result_note(session->result,
		       "%s was replaced or removed since process %d loaded it; the file that it "
		       "runs was read through %s",
		       map->path, pid, by);
}

static struct vg_error *find_module(struct vg_session *session, struct vg_plan *plan, size_t i)
{
	const struct vgp_module *wanted = &plan->patch->modules[i];
	size_t count;

	plan->areas[i].module = vg_modules_find(&session->modules, wanted->build_id,
						wanted->build_id_bytes, &count);
	if (!count)
		return module_missing(session, plan->patch, wanted);
	if (count > 1)
		return vg_error_new(VG_REFUSED,
				    "process %d has loaded %s %zu times (dlmopen); which one to "
				    "patch is not clear",
				    session->target.pid, vg_patch_string(plan->patch, wanted->name),
				    count);
	plan->biases[i] = plan->areas[i].module->bias;
	note_replaced(session, plan->areas[i].module);
	return NULL;
}

static struct vg_error *place_area(struct vg_session *session, struct vg_plan *plan, size_t i,
				   struct vg_map *taken)
{
	struct vg_plan_area *area = &plan->areas[i];
	bool low = plan->patch->modules[i].flags & VGP_MODULE_FIXED ||
		   plan->patch->header->flags & VGP_LOW_2G;
	struct vg_placement placement = {.start = area->module->start,
					 .end = area->module->end,
					 .below_2g = low,
					 .min_address = vg_placement_min_address(),
					 .taken = taken,
					 .taken_count = i};

	VG_TRY(vg_layout_make(plan->patch, (unsigned)i, &area->layout));
	placement.area_bytes = area->layout.area_bytes;
	VG_TRY(vg_placement_find(&placement, &session->maps, &area->address));
	taken[i] = (struct vg_map){.start = area->address,
				   .end = area->address + area->layout.area_bytes};
	area->image = calloc(1, area->layout.area_bytes);
	return area->image ? NULL : no_memory();
}

static struct vg_error *place_all(struct vg_session *session, struct vg_plan *plan)
{
	_cleanup_free_ struct vg_map *taken = calloc(plan->count + 1, sizeof(*taken));

	if (!taken)
		return no_memory();
	for (size_t i = 0; i < plan->count; i++)
		VG_TRY(place_area(session, plan, i, taken));
	for (size_t i = 0; i < plan->patch->segment_count; i++) {
		const struct vgp_segment *segment = &plan->patch->segments[i];
		const struct vg_plan_area *area = &plan->areas[segment->module];

		plan->segments[i] =
			area->address + (segment->kind == VGP_TEXT ? area->layout.text_offset
								   : area->layout.data_offset);
	}
	return NULL;
}

static uint64_t next_sequence(const struct vg_session *session)
{
	uint64_t highest = 0;

	for (size_t i = 0; i < session->areas.count; i++)
		if (session->areas.patches[i].areas[0].header.sequence > highest)
			highest = session->areas.patches[i].areas[0].header.sequence;
	return highest + 1;
}

static void write_header(const struct vg_session *session, const struct vg_plan *plan, size_t i)
{
	const struct vg_plan_area *area = &plan->areas[i];
	const struct vg_layout *layout = &area->layout;
	struct vga_header *header = vg_plan_header(area);

	*header = (struct vga_header){
		.version = VGA_VERSION,
		.header_bytes = sizeof(*header),
		.area_address = area->address,
		.area_bytes = layout->area_bytes,
		.state = VGA_MAPPED,
		.primary = plan->areas[VG_PRIMARY_MODULE].address,
		.sequence = next_sequence(session),
		.load_bias = area->module->bias,
		.module = (uint32_t)i,
		.area_count = (uint32_t)plan->count,
		.function_count = layout->function_count,
		.functions_offset = layout->functions_offset,
		.stubs_offset = layout->stubs_offset,
		.stubs_bytes = layout->stubs_bytes,
		.text_offset = layout->text_offset,
		.text_bytes = layout->text_bytes,
		.object_offset = layout->object_offset,
		.object_bytes = layout->object_bytes,
		.data_offset = layout->data_offset,
		.data_bytes = layout->data_bytes,
		.registration_offset = layout->registration_offset,
		.unwind_offset = layout->unwind_offset,
		.unwind_bytes = layout->unwind_bytes,
	};
	memcpy(header->magic, VGA_MAGIC, sizeof(header->magic));
	memcpy(header->checksum, plan->patch->header->checksum, sizeof(header->checksum));
	snprintf(header->name, sizeof(header->name), "%s", vg_patch_name(plan->patch));
	snprintf((char *)area->image + layout->name_offset, VG_AREA_NAME_BYTES, "vgraft:%s",
		 vg_patch_name(plan->patch));
}

static struct vg_error *write_function(const struct vg_session *session, struct vg_plan *plan,
				       const struct vg_plan_area *area, size_t index, size_t nth)
{
	const struct vgp_function *function = &plan->patch->functions[index];
	struct vga_function *record = &vg_plan_functions(area)[nth];
	uint64_t text = area->address + area->layout.text_offset;
	uint64_t record_address =
		area->address + area->layout.functions_offset + nth * sizeof(*record);
	uint64_t switch_word =
		plan->areas[VG_PRIMARY_MODULE].address + offsetof(struct vga_header, switch_word);
	uint32_t stub = area->layout.stubs_offset + (uint32_t)nth * VG_STUB_BYTES;
	uint8_t jump[VGP_JUMP_BYTES];
	struct vg_entry entry;

	VG_TRY(vg_entry_check(session, plan->patch, function, area->module->bias, &entry));
	*record = (struct vga_function){.slot = area->address + stub + VG_STUB_SELECT,
					.entry = entry.address,
					.dispatcher = area->address + stub,
					.select = area->address + stub + VG_STUB_SELECT,
					.new_code = text + function->new_offset,
					.displaced = text + function->displaced_offset,
					.function = (uint32_t)index};
	record->below = entry.below ? entry.below : record->displaced;
	memcpy(record->saved, entry.now, VGP_JUMP_BYTES);
	if (!vg_stub_entry_jump(record->entry, record->dispatcher, jump))
		return vg_error_new(VG_FAILED, "the patch area is out of reach of %s",
				    vg_patch_string(plan->patch, function->name));
	vg_stub_write(record, record_address, switch_word, false, area->image + stub);
	plan->entries[plan->entry_count++] = entry.address;
	return NULL;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Two entries that share bytes could not both be armed. */
static struct vg_error *check_apart(struct vg_plan *plan)
{
	qsort(plan->entries, plan->entry_count, sizeof(*plan->entries), compare_addresses);
	for (size_t i = 1; i < plan->entry_count; i++)
		if (plan->entries[i] - plan->entries[i - 1] < VGP_JUMP_BYTES)
			return vg_error_new(VG_REFUSED,
					    "patch %s changes two functions whose entries overlap; "
					    "build it again",
					    vg_patch_name(plan->patch));
	return NULL;
}

static struct vg_error *write_functions(const struct vg_session *session, struct vg_plan *plan,
					size_t module)
{
	size_t nth = 0;

	for (size_t i = 0; i < plan->patch->function_count; i++) {
		const struct vgp_function *function = &plan->patch->functions[i];

		if (function->module == module && function->kind == VGP_CHANGED)
			VG_TRY(write_function(session, plan, &plan->areas[module], i, nth++));
	}
	return NULL;
}

static struct vg_error *write_segments(struct vg_plan *plan)
{
	const struct vg_patch *patch = plan->patch;
	struct vg_bases bases = {
		.modules = plan->biases, .segments = plan->segments, .imports = plan->imports};

	for (size_t i = 0; i < patch->segment_count; i++) {
		const struct vgp_segment *segment = &patch->segments[i];
		const struct vg_plan_area *area = &plan->areas[segment->module];
		uint8_t *bytes = area->image + (plan->segments[i] - area->address);

		memcpy(bytes, patch->contents + segment->content_offset, segment->content_bytes);
		VG_TRY(vg_relocate_segment(patch, (unsigned)i, &bases, bytes));
	}
	return NULL;
}

static struct vg_error *write_unwind(const struct vg_plan *plan, unsigned module)
{
	const struct vg_plan_area *area = &plan->areas[module];
	const struct vg_layout *layout = &area->layout;
	struct vg_unwind_table table = {
		.address = area->address + layout->unwind_offset,
		.stubs = area->address + layout->stubs_offset,
		.functions = layout->function_count,
		.code_end = area->address + layout->text_offset + layout->text_bytes,
		.next = area->address + layout->registration_offset +
			offsetof(struct vga_registration, next),
		.module = area->module->start,
		.text = area->image + layout->text_offset,
		.text_bytes = layout->text_bytes,
		.text_address = area->address + layout->text_offset,
	};

	return vg_unwind_write(plan->patch, module, &table, area->image + layout->unwind_offset);
}

static struct vg_error *write_images(const struct vg_session *session, struct vg_plan *plan)
{
	const struct vg_plan_area *primary = &plan->areas[VG_PRIMARY_MODULE];

	for (size_t i = 0; i < plan->count; i++) {
		write_header(session, plan, i);
		VG_TRY(write_functions(session, plan, i));
	}
	VG_TRY(check_apart(plan));
	memcpy(primary->image + primary->layout.object_offset, plan->patch->bytes,
	       plan->patch->byte_count);
	VG_TRY(write_segments(plan));
	for (size_t i = 0; i < plan->count; i++)
		VG_TRY(write_unwind(plan, (unsigned)i));
	return NULL;
}

struct vg_error *vg_plan_make(struct vg_session *session, const struct vg_patch *patch,
			      struct vg_plan *plan)
{
	_cleanup_(vg_scope_clear) struct vg_scope scope = {0};

	*plan = (struct vg_plan){0};
	VG_TRY(allocate(plan, patch));
	for (size_t i = 0; i < plan->count; i++)
		VG_TRY(find_module(session, plan, i));
	VG_TRY(vg_scope_read(session, &scope));
	VG_TRY(vg_imports_bind(&scope, patch, plan->biases, plan->imports));
	VG_TRY(place_all(session, plan));
	VG_TRY(write_images(session, plan));
	return vg_registration_plan(&scope, plan);
}

void vg_plan_clear(struct vg_plan *plan)
{
	for (size_t i = 0; plan->areas && i < plan->count; i++)
		free(plan->areas[i].image);
	free(plan->areas);
	free(plan->biases);
	free(plan->segments);
	free(plan->imports);
	free(plan->entries);
	*plan = (struct vg_plan){0};
}
