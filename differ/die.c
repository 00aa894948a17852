/* SPDX-License-Identifier: MIT */
#include "differ/die.h"

#include "common/error.h"

const char *vg_dies_keep(struct vg_dies *dies, const char *text)
{
	const char *copy = vg_arena_strdup(dies->arena, text);

	if (!copy)
		dies->out_of_memory = true;
	return copy ?: "";
}

const char *vg_die_name(struct vg_dies *dies, Dwarf_Die die)
{
	char *name = NULL;

	if (dwarf_diename(die, &name, &dies->error) != DW_DLV_OK)
		return "";
	return vg_dies_keep(dies, name);
}

Dwarf_Half vg_die_tag(struct vg_dies *dies, Dwarf_Die die)
{
	Dwarf_Half tag = 0;

	return dwarf_tag(die, &tag, &dies->error) == DW_DLV_OK ? tag : 0;
}

bool vg_die_read(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name, uint64_t *value)
{
	Dwarf_Attribute attribute;
	Dwarf_Unsigned number = 0;
	Dwarf_Signed negative = 0;
	bool found = true;

	if (dwarf_attr(die, name, &attribute, &dies->error) != DW_DLV_OK)
		return false;
	if (dwarf_formudata(attribute, &number, &dies->error) == DW_DLV_OK)
		*value = number;
	else if (dwarf_formsdata(attribute, &negative, &dies->error) == DW_DLV_OK)
		*value = (uint64_t)negative;
	else
		found = false;
	dwarf_dealloc(dies->debug, attribute, DW_DLA_ATTR);
	return found;
}

uint64_t vg_die_number(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name)
{
	uint64_t value = 0;

	return vg_die_read(dies, die, name, &value) ? value : 0;
}

/* The DIE that an attribute refers to; NULL. To be released with DW_DLA_DIE. */
Dwarf_Die vg_die_referred(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name)
{
	Dwarf_Attribute attribute;
	Dwarf_Off offset;
	Dwarf_Die found = NULL;

	if (dwarf_attr(die, name, &attribute, &dies->error) != DW_DLV_OK)
		return NULL;
	if (dwarf_global_formref(attribute, &offset, &dies->error) != DW_DLV_OK ||
	    dwarf_offdie_b(dies->debug, offset, true, &found, &dies->error) != DW_DLV_OK)
		found = NULL;
	dwarf_dealloc(dies->debug, attribute, DW_DLA_ATTR);
	return found;
}

void vg_die_release(struct vg_dies *dies, Dwarf_Die die)
{
	if (die)
		dwarf_dealloc(dies->debug, die, DW_DLA_DIE);
}

Dwarf_Die vg_die_child(struct vg_dies *dies, Dwarf_Die die)
{
	Dwarf_Die child = NULL;

	return dwarf_child(die, &child, &dies->error) == DW_DLV_OK ? child : NULL;
}

/* The next sibling; releases the current one. */
Dwarf_Die vg_die_next(struct vg_dies *dies, Dwarf_Die die)
{
	Dwarf_Die next = NULL;

	if (dwarf_siblingof_b(dies->debug, die, true, &next, &dies->error) != DW_DLV_OK)
		next = NULL;
	vg_die_release(dies, die);
	return next;
}

struct vg_error *vg_dies_open(struct vg_arena *arena, const char *path, struct vg_dies *dies)
{
	*dies = (struct vg_dies){.arena = arena};
	if (!vg_dies_are_readable(path))
		return NULL;
	if (dwarf_init_path(path, NULL, 0, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL,
			    &dies->debug, NULL, 0, NULL, &dies->error) == DW_DLV_OK)
		return NULL;
	if (dies->error)
		dwarf_dealloc_error(NULL, dies->error);
	*dies = (struct vg_dies){.arena = arena};
	return NULL;
}

struct vg_error *vg_dies_close(struct vg_dies *dies)
{
	if (dies->debug)
		dwarf_finish(dies->debug, &dies->error);
	return dies->out_of_memory ? vg_error_no_memory() : NULL;
}

Dwarf_Die vg_dies_next_unit(struct vg_dies *dies)
{
	Dwarf_Unsigned length, type_offset, next;
	Dwarf_Half version, address_bytes, offset_bytes, extension, unit_type;
	Dwarf_Off abbreviations;
	Dwarf_Sig8 signature;
	Dwarf_Die die;

	while (dies->debug &&
	       dwarf_next_cu_header_d(dies->debug, true, &length, &version, &abbreviations,
				      &address_bytes, &offset_bytes, &extension, &signature,
				      &type_offset, &next, &unit_type, &dies->error) == DW_DLV_OK)
		if (dwarf_siblingof_b(dies->debug, NULL, true, &die, &dies->error) == DW_DLV_OK)
			return die;
	return NULL;
}
