/* SPDX-License-Identifier: MIT */
/* Touched files that no unit reads: is the fix whole without them? */
#include <string.h>

#include "common/error.h"
#include "differ/units.h"

static struct vg_error *refuse(const struct vg_unit_plan *plan, const struct vg_touched *touched)
{
	return vg_error_new(VG_REFUSED,
			    "%s: no entry of %s compiles this %sfile and no unit includes it; "
			    "build the project once so that it has one, make the diff of the file "
			    "that the build puts it into, or leave it out of the diff",
			    touched->path, plan->commands.path, touched->created ? "new " : "");
}

static void note(struct vg_unit_plan *plan, const struct vg_touched *touched)
{
	if (vg_is_never_compiled(touched->path))
		vg_words_format(&plan->notes, "%s ignored: it is not compiled", touched->path);
	else
		vg_words_format(&plan->notes,
				"%s ignored: no unit reads it; what the build generates from it "
				"is not generated again",
				touched->path);
}

static struct vg_error *check_one(struct vg_unit_plan *plan, const struct vg_touched *touched)
{
	if (touched->binary && (touched->reached || vg_is_unit_file(touched->path)))
		return vg_error_new(VG_REFUSED,
				    "%s: the diff has its change as binary data; make it with git "
				    "diff --text",
				    touched->path);
	if (touched->reached || touched->deleted)
		return NULL;
	if (vg_is_unit_file(touched->path))
		return refuse(plan, touched);
	note(plan, touched);
	return vg_words_check(&plan->notes);
}

/* A diff that changes a header which nobody includes must not pass for a fix. */
static struct vg_error *check_any(const struct vg_unit_plan *plan)
{
	if (plan->count)
		return NULL;
	for (size_t i = 0; i < plan->tree.count; i++)
		if (!vg_is_never_compiled(plan->tree.files[i].path))
			return vg_error_new(VG_REFUSED,
					    "%s: the diff reaches no unit of %s: nothing compiles "
					    "or includes what it touches",
					    plan->tree.files[i].path, plan->commands.path);
	return NULL;
}

struct vg_error *vg_units_check_reached(struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->tree.count; i++)
		VG_TRY(check_one(plan, &plan->tree.files[i]));
	return check_any(plan);
}
