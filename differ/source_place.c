/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "differ/compile_files.h"
#include "differ/patch_build.h"
#include "differ/type_table.h"

/* DWARF has full paths, by whatever links the compile command took; people have the tree. */
static const char *name_in_tree(const struct vg_patch_build *build, const char *path)
{
	char real[PATH_MAX];
	_cleanup_free_ char *normal = vg_path_normal(path);
	const char *name = realpath(path, real) ? real : normal;

	const char *root = build->units ? build->units->root : NULL;

	if (!name || !root || !vg_path_is_under(name, root))
		return path;
	name += strlen(root);
	return vg_arena_strdup(build->arena, name + strspn(name, "/")) ?: path;
}

struct vg_source_place vg_place_at(const struct vg_patch_build *build, const struct vg_pair *pair,
				   const char *file, unsigned line)
{
	return (struct vg_source_place){
		.file = *file == '/' ? name_in_tree(build, file) : pair->unit->file, .line = line};
}

/* Aliases have no declaration that counts; the name that the source defines has. */
static const struct vg_declaration *find_declaration(const struct vg_type_table *types,
						     const struct vg_item *item)
{
	const struct vg_declaration *found = vg_type_table_declaration(types, item->source);

	for (size_t i = 1; !found && item->section && i < item->object->symbol_count; i++)
		if (item->object->symbols[i].item == item)
			found = vg_type_table_declaration(types, item->object->symbols[i].name);
	return found;
}

struct vg_source_place vg_place_of(const struct vg_patch_build *build, struct vg_pair *pair,
				   const struct vg_item *item)
{
	pair = vg_pair_of(build, pair, item);

	const struct vg_type_table *types =
		item->object == pair->post ? pair->post_types : pair->pre_types;
	const struct vg_declaration *found =
		types && item->source ? find_declaration(types, item) : NULL;

	return vg_place_at(build, pair, found ? found->file : "", found ? found->line : 0);
}
