/* SPDX-License-Identifier: MIT */
#include "common/error.h"
#include "differ/die.h"

/* DWARF 5 numbers files from 0, with the unit's own first; before, 1 was the first (6.2.4). */
static struct vg_error *take_names(struct vg_dies *dies, char **names, size_t count,
				   struct vg_die_files *files)
{
	size_t first = dies->version >= 5 ? 0 : 1;

	files->names = vg_arena_alloc(dies->arena, first + count + 1, sizeof(*files->names));
	if (!files->names)
		return vg_error_no_memory();
	for (size_t i = 0; i < count; i++) {
		files->names[first + i] = vg_dies_keep(dies, names[i]);
		dwarf_dealloc(dies->debug, names[i], DW_DLA_STRING);
	}
	files->count = first + count;
	return NULL;
}

struct vg_error *vg_die_files_read(struct vg_dies *dies, Dwarf_Die unit, struct vg_die_files *files)
{
	char **names = NULL;
	Dwarf_Signed count = 0;
	struct vg_error *error;

	*files = (struct vg_die_files){0};
	if (!dies->debug || dwarf_srcfiles(unit, &names, &count, &dies->error) != DW_DLV_OK ||
	    count < 0)
		return NULL;
	error = take_names(dies, names, (size_t)count, files);
	dwarf_dealloc(dies->debug, names, DW_DLA_LIST);
	return error;
}

const char *vg_die_file(const struct vg_die_files *files, uint64_t number)
{
	return number < files->count && files->names[number] ? files->names[number] : "";
}
