/* SPDX-License-Identifier: MIT */
/* The new code of a patch object, as `vgraft inspect -d` shows it. */
#ifndef CLI_DISASSEMBLY_H
#define CLI_DISASSEMBLY_H

#include <jansson.h>

#include "common/patch_object.h"

/* Prints to standard output. Returns an exit code. */
int vg_disassembly_print(const struct vg_patch *patch);
/* The same lines: an object with an array of strings for each function. */
json_t *vg_disassembly_json(const struct vg_patch *patch);

#endif
