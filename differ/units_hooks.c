/* SPDX-License-Identifier: MIT */
/* Files given by --hooks, as units of which nothing was there before. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_object.h"
#include "differ/units.h"

/* What a hook file was before the change: the object of a file with nothing in it. */
static struct vg_error *compile_nothing(struct vg_units *units, char **object)
{
	static const char text[] = "typedef int vgraft_nothing;\n";
	_cleanup_free_ char *path = vg_format("%s/out/nothing.c", units->directory);

	if (!path)
		return vg_error_no_memory();
	VG_TRY(vg_write_file_atomically(path, text, sizeof(text) - 1));
	return vg_units_compile_extra(units, path, object);
}

static struct vg_error *add_unit(struct vg_units *units, const char *file)
{
	struct vg_unit *grown = reallocarray(units->units, units->count + 1, sizeof(*units->units));
	struct vg_unit *unit;

	if (!grown)
		return vg_error_no_memory();
	units->units = grown;
	unit = &units->units[units->count++];
	*unit = (struct vg_unit){.file = strdup(file),
				 .compiler = strdup(units->units[0].compiler ?: "")};
	if (!unit->file || !unit->compiler)
		return vg_error_no_memory();
	VG_TRY(compile_nothing(units, &unit->pre_object));
	return vg_units_compile_extra(units, file, &unit->post_object);
}

struct vg_error *vg_units_add_hooks(const struct vg_build_request *request, struct vg_units *units)
{
	if (!units->count)
		return NULL; /* nothing changes, so there is nothing to hook on to */
	for (size_t i = 0; i < request->hook_count; i++)
		VG_TRY(add_unit(units, request->hooks[i]));
	return NULL;
}
