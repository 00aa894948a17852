/* SPDX-License-Identifier: MIT */
/* Where a type of an object is used, by its DWARF, and by the text of its source. */
#ifndef DIFFER_TYPE_USES_H
#define DIFFER_TYPE_USES_H

#include <vgraft/error.h>

#include "differ/type_table.h"

struct vg_type_uses {
	bool is_elsewhere; /* in anything but variables of functions */
	VG_LIST(const char *) variables;
	VG_LIST(const char *) functions; /* that have such a variable, inlined or not */
};

/* Types of one name are taken for one: `type` says kind and name. */
VG_MUST_CHECK struct vg_error *vg_type_uses_read(struct vg_arena *arena, const char *path,
						 const struct vg_type *type,
						 struct vg_type_uses *uses);

/*
 * Reads preprocessed C. Is every mention of the type its definition or the declaration of one of
 * these variables, automatic, and every use of those an access to a member?
 */
bool vg_type_is_automatic(const char *text, const struct vg_type *type,
			  const struct vg_type_uses *uses);

#endif
