/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

struct vg_error *vg_safety_check(struct vg_patch_build *build)
{
	(void)build;
	return NULL;
}

struct vg_error *vg_safety_check_compiler(struct vg_patch_build *build)
{
	(void)build;
	return NULL;
}
