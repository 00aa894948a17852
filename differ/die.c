/* SPDX-License-Identifier: MIT */
#include "differ/die.h"

#include "common/error.h"

/*
 * Readers come to an entry more than once, by what refers to it; in a file that is made to mislead
 * them, references lead around in circles. But not to as many as there are bytes.
 */
#define STEPS_FOR_BYTE 16
#define STEPS_FOR_FILE 100000

static bool can_step(struct vg_dies *dies)
{
	if (dies->steps_left)
		dies->steps_left--;
	else
		dies->is_damaged = true;
	return !dies->is_damaged;
}

/* What libdwarf answers; an error is remembered: what is not read must not pass for not there. */
static bool is_ok(struct vg_dies *dies, int answer)
{
	if (answer == DW_DLV_ERROR) {
		dies->is_damaged = true;
		dwarf_dealloc_error(dies->debug, dies->error);
		dies->error = NULL;
	}
	return answer == DW_DLV_OK;
}

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

	return is_ok(dies, dwarf_diename(die, &name, &dies->error)) ? vg_dies_keep(dies, name) : "";
}

Dwarf_Half vg_die_tag(struct vg_dies *dies, Dwarf_Die die)
{
	Dwarf_Half tag = 0;

	return is_ok(dies, dwarf_tag(die, &tag, &dies->error)) ? tag : 0;
}

bool vg_die_read(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name, uint64_t *value)
{
	Dwarf_Attribute attribute;
	Dwarf_Unsigned number = 0;
	Dwarf_Signed negative = 0;
	bool found = true;

	if (!is_ok(dies, dwarf_attr(die, name, &attribute, &dies->error)))
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

bool vg_die_has(struct vg_dies *dies, Dwarf_Die die, Dwarf_Half name)
{
	Dwarf_Bool has = false;

	return is_ok(dies, dwarf_hasattr(die, name, &has, &dies->error)) && has;
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

	if (!is_ok(dies, dwarf_attr(die, name, &attribute, &dies->error)))
		return NULL;
	if (!is_ok(dies, dwarf_global_formref(attribute, &offset, &dies->error)) ||
	    !is_ok(dies, dwarf_offdie_b(dies->debug, offset, true, &found, &dies->error)))
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

	return can_step(dies) && is_ok(dies, dwarf_child(die, &child, &dies->error)) ? child : NULL;
}

/* The next sibling; releases the current one. */
Dwarf_Die vg_die_next(struct vg_dies *dies, Dwarf_Die die)
{
	Dwarf_Die next = NULL;

	if (!can_step(dies) ||
	    !is_ok(dies, dwarf_siblingof_b(dies->debug, die, true, &next, &dies->error)))
		next = NULL;
	vg_die_release(dies, die);
	return next;
}

static struct vg_error *open_debug(struct vg_dies *dies)
{
	const struct vg_die_section *info = vg_die_section_named(&dies->sections, ".debug_info");
	bool readable;

	if (!info)
		return NULL;
	dies->steps_left = STEPS_FOR_FILE + STEPS_FOR_BYTE * info->size;
	VG_TRY(vg_dies_are_readable(&dies->sections, &readable));
	if (!readable) {
		dies->is_damaged = true;
		return NULL;
	}
	if (dwarf_object_init_b(&dies->sections.access, NULL, NULL, DW_GROUPNUMBER_ANY,
				&dies->debug, &dies->error) == DW_DLV_OK)
		return NULL;
	dies->is_damaged = true;
	if (dies->error)
		dwarf_dealloc_error(NULL, dies->error);
	dies->error = NULL;
	dies->debug = NULL;
	return NULL;
}

struct vg_error *vg_dies_open(struct vg_arena *arena, const char *path, struct vg_dies *dies)
{
	*dies = (struct vg_dies){.arena = arena};
	VG_TRY(vg_elf_open(path, &dies->elf));

	struct vg_error *error = vg_die_sections_read(arena, dies->elf, &dies->sections);

	dies->is_damaged = dies->sections.is_damaged;
	if (!error && !dies->is_damaged)
		error = open_debug(dies);
	if (error)
		vg_elf_close(dies->elf);
	return error;
}

struct vg_error *vg_dies_close(struct vg_dies *dies)
{
	if (dies->debug)
		dwarf_object_finish(dies->debug, &dies->error);
	vg_elf_close(dies->elf);
	dies->elf = NULL;
	return dies->out_of_memory ? vg_error_no_memory() : NULL;
}

Dwarf_Die vg_dies_next_unit(struct vg_dies *dies)
{
	Dwarf_Unsigned length, type_offset, next;
	Dwarf_Half address_bytes, offset_bytes, extension, unit_type;
	Dwarf_Off abbreviations;
	Dwarf_Sig8 signature;
	Dwarf_Die die;

	while (dies->debug &&
	       is_ok(dies, dwarf_next_cu_header_d(dies->debug, true, &length, &dies->version,
						  &abbreviations, &address_bytes, &offset_bytes,
						  &extension, &signature, &type_offset, &next,
						  &unit_type, &dies->error)))
		if (is_ok(dies, dwarf_siblingof_b(dies->debug, NULL, true, &die, &dies->error)))
			return die;
	return NULL;
}
