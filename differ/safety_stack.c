/* SPDX-License-Identifier: MIT */
/*
 * A type may change its layout if no object of it is alive when the patch goes in. That holds for
 * automatic variables of functions that the patch replaces, all of them: the patcher lets no such
 * function be on a stack at that moment. It holds for nothing else: memory that is reached by a
 * pointer may have been made at any time, and a function that stays may wait with its variables.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/safety.h"
#include "differ/type_uses.h"

static bool is_replaced(const struct vg_patch_build *build, const struct vg_item *pre)
{
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->pre == pre)
			return true;
	return false;
}

/*
 * All code of the function: clones too. What was cut off as .part may be on a stack without the
 * function; .cold is always looked for together with it.
 */
static bool is_all_replaced(const struct vg_patch_build *build, const struct vg_object *pre,
			    const char *function)
{
	for (size_t i = 0; i < pre->item_count; i++) {
		const struct vg_item *item = pre->items[i];

		if (!vg_item_is_function(item) || !item->source || strcmp(item->source, function))
			continue;
		if (vg_item_is_part(item) ? !strstr(item->name, ".cold")
					  : !is_replaced(build, item))
			return false;
	}
	return true;
}

struct vg_error *vg_safety_is_on_stacks(struct vg_patch_build *build, const struct vg_pair *pair,
					const struct vg_type *type, bool *is_on_stacks)
{
	_cleanup_free_ char *text = NULL;
	struct vg_type_uses uses;

	*is_on_stacks = false;
	if (!strcmp(type->kind, "enum"))
		return NULL;
	VG_TRY(vg_type_uses_read(build->arena, pair->pre->path, type, &uses));
	if (uses.is_elsewhere)
		return NULL;
	for (size_t i = 0; i < uses.functions.count; i++)
		if (!is_all_replaced(build, pair->pre, uses.functions.at[i]))
			return NULL;
	VG_TRY(vg_units_text(build->units, pair->unit, false, &text));
	*is_on_stacks = text && vg_type_is_automatic(text, type, &uses);
	if (*is_on_stacks)
		vg_explain(build,
			   "%s: %s %s changes its layout, but all objects of it are variables of "
			   "functions that are replaced",
			   pair->unit->file, type->kind, type->name);
	return NULL;
}
