/* SPDX-License-Identifier: MIT */
/* Checks of what stands in a patch area: see area.h. */
#include "patcher/area.h"

#include <inttypes.h>
#include <string.h>

#include "patcher/stub.h"

#define MAX_AREAS 64 /* modules of one patch */
#define PAGE	  4096u

static struct vg_error *damaged(uint64_t address, const char *what)
{
	return vg_error_new(VG_FAILED,
			    "the patch area at 0x%" PRIx64
			    " is damaged (%s); nothing was changed; restart the target to be rid "
			    "of it",
			    address, what);
}

/* [offset, offset + bytes) lies in the area, behind `behind`. */
static bool is_inside(const struct vga_header *header, uint64_t behind, uint64_t offset,
		      uint64_t bytes)
{
	return offset >= behind && offset + bytes <= header->area_bytes;
}

static const char *check_identity(const struct vga_header *header)
{
	if (header->version != VGA_VERSION || header->header_bytes != sizeof(*header))
		return "made by another version of vgraft";
	if (header->area_bytes < sizeof(*header) || header->area_bytes % PAGE ||
	    header->area_bytes > UINT32_MAX || header->area_address > (1ull << 47))
		return "size";
	if (header->state < VGA_MAPPED || header->state > VGA_RETIRED)
		return "state";
	if (header->switch_word > 1)
		return "switch word";
	if (!header->area_count || header->area_count > MAX_AREAS ||
	    header->module >= header->area_count)
		return "module";
	if (!memchr(header->name, '\0', sizeof(header->name)) ||
	    !vg_patch_name_is_valid(header->name))
		return "name";
	return NULL;
}

static const char *check_layout(const struct vga_header *header)
{
	uint64_t functions = (uint64_t)header->function_count * sizeof(struct vga_function);
	uint64_t end = sizeof(*header);

	if (!is_inside(header, end, header->functions_offset, functions) ||
	    header->functions_offset % 8)
		return "functions";
	end = header->functions_offset + functions;
	if (!is_inside(header, end, header->registration_offset, sizeof(struct vga_registration)) ||
	    header->registration_offset % 8)
		return "registration";
	end = (uint64_t)header->registration_offset + sizeof(struct vga_registration);
	if (!is_inside(header, end, header->stubs_offset, header->stubs_bytes) ||
	    header->stubs_bytes != (uint64_t)header->function_count * VG_STUB_BYTES)
		return "stubs";
	end = (uint64_t)header->stubs_offset + header->stubs_bytes;
	if (!is_inside(header, end, header->unwind_offset, header->unwind_bytes))
		return "unwind information";
	end = (uint64_t)header->unwind_offset + header->unwind_bytes;
	if (!is_inside(header, end, header->text_offset, header->text_bytes))
		return "text";
	end = (uint64_t)header->text_offset + header->text_bytes;
	if (header->object_offset &&
	    !is_inside(header, end, header->object_offset, header->object_bytes))
		return "object";
	if (!header->object_offset != (header->primary != header->area_address))
		return "object of a primary area";
	if (header->object_offset)
		end = (uint64_t)header->object_offset + header->object_bytes;
	if (header->data_offset &&
	    (!is_inside(header, end, header->data_offset, header->data_bytes) ||
	     header->data_offset % PAGE))
		return "data";
	return NULL;
}

struct vg_error *vg_area_check_header(const struct vga_header *header, uint64_t address,
				      bool *is_area)
{
	const char *what;

	*is_area = memcmp(header->magic, VGA_MAGIC, sizeof(header->magic)) == 0 &&
		   header->area_address == address;
	if (!*is_area)
		return NULL;
	what = check_identity(header);
	if (!what)
		what = check_layout(header);
	return what ? damaged(address, what) : NULL;
}

/* Is `address` the start of something inside the area's TEXT? */
static bool is_text(const struct vga_header *header, uint64_t address)
{
	uint64_t start = header->area_address + header->text_offset;

	return address >= start && address < start + header->text_bytes;
}

static bool is_record_whole(const struct vg_area *area, size_t i, const struct vg_patch *object)
{
	const struct vga_header *header = &area->header;
	const struct vga_function *record = &area->functions[i];
	uint64_t stub = header->area_address + header->stubs_offset + i * VG_STUB_BYTES;

	if (record->function >= object->function_count)
		return false;
	const struct vgp_function *function = &object->functions[record->function];

	return function->kind == VGP_CHANGED && function->module == header->module &&
	       record->entry == header->load_bias + function->old_address &&
	       record->dispatcher == stub && record->select == stub + VG_STUB_SELECT &&
	       is_text(header, record->new_code) && is_text(header, record->displaced) &&
	       (record->slot == record->select || record->slot == record->new_code);
}

struct vg_error *vg_area_check_functions(const struct vg_area *area, const struct vg_patch *object)
{
	if (memcmp(area->header.checksum, object->header->checksum,
		   sizeof(area->header.checksum)) != 0 ||
	    strcmp(area->header.name, vg_patch_name(object)) != 0 ||
	    area->header.area_count != object->module_count)
		return damaged(area->header.area_address, "not its object");
	for (size_t i = 0; i < area->header.function_count; i++)
		if (!is_record_whole(area, i, object))
			return damaged(area->header.area_address, "record of a function");
	return NULL;
}

uint64_t vg_area_function_address(const struct vg_area *area, size_t i)
{
	return area->header.area_address + area->header.functions_offset +
	       i * sizeof(struct vga_function);
}

bool vg_installed_is_linked(const struct vg_installed *installed)
{
	return installed->state == VGA_ARMING || installed->state == VGA_APPLIED ||
	       installed->state == VGA_REVERTING || installed->state == VGA_POST_APPLY ||
	       installed->state == VGA_PRE_REVERT || installed->state == VGA_REPLACED;
}

bool vg_installed_may_run_hook(const struct vg_installed *installed)
{
	return installed->state >= VGA_PRE_APPLY && installed->state <= VGA_POST_REVERT;
}

static const struct vga_header *module_header(const struct vg_installed *installed, uint32_t module)
{
	for (size_t i = 0; i < installed->area_count; i++)
		if (installed->areas[i].header.module == module)
			return &installed->areas[i].header;
	return NULL;
}

uint64_t vg_installed_module_text(const struct vg_installed *installed, uint32_t module)
{
	const struct vga_header *header = module_header(installed, module);

	return header ? header->area_address + header->text_offset : 0;
}

uint64_t vg_installed_segment(const struct vg_installed *installed, uint32_t segment)
{
	const struct vgp_segment *record = &installed->object->segments[segment];
	const struct vga_header *header = module_header(installed, record->module);

	if (record->kind == VGP_TEXT)
		return vg_installed_module_text(installed, record->module);
	return header ? header->area_address + header->data_offset : 0;
}
