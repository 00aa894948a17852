/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/patch_build.h"

/* Sources that define a name, all of one program: there are hardly more, with stubs. */
#define MAX_PROVIDERS 8

static struct vg_error *match_in(struct vg_patch_build *build, struct vg_object *object,
				 const struct vg_item *wanted, struct vg_match **match)
{
	struct vg_item *item = vg_object_item_named(object, wanted->name);

	if (!item || !vg_item_is_function(item) || vg_item_is_local(item))
		return NULL;
	return vg_match_function(&build->matcher, item, object, match);
}

static struct vg_error *try_provider(struct vg_patch_build *build, const char *path,
				     const char *file, const struct vg_item *wanted,
				     struct vg_reach *reach)
{
	struct vg_object *object = NULL;
	struct vg_match *match = NULL;
	struct vg_error *error = vg_object_read(build->arena, path, file, &object);

	if (!error)
		error = match_in(build, object, wanted, &match);
	vg_object_close(object);
	if (error || !match || !match->found)
		return error;
	reach->has_address = true;
	reach->address = match->address;
	reach->how = vg_arena_printf(build->arena, "the code of %s", file);
	return NULL;
}

struct vg_error *vg_reach_provider(struct vg_patch_build *build, const struct vg_item *item,
				   struct vg_reach *reach)
{
	size_t next = 0;

	for (int i = 0; i < MAX_PROVIDERS && !reach->has_address; i++) {
		_cleanup_free_ char *object = NULL;
		const char *file = NULL;

		VG_TRY(vg_units_compile_provider(build->units->plan, item->name, &next, &file,
						 &object));
		if (!object)
			return NULL;
		VG_TRY(try_provider(build, object, file, item, reach));
	}
	return NULL;
}
