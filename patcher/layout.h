/* SPDX-License-Identifier: MIT */
/* The offsets in a patch area (<vgraft/area.h>), as they follow from the patch object alone. */
#ifndef PATCHER_LAYOUT_H
#define PATCHER_LAYOUT_H

#include <stdint.h>

#include <vgraft/area.h>
#include <vgraft/error.h>

#include "common/patch_object.h"

#define VG_AREA_NAME_BYTES 80 /* what the kernel takes as the name of a mapping, NUL included */

struct vg_layout {
	uint32_t function_count; /* changed functions of the module */
	uint32_t functions_offset;
	uint32_t registration_offset;
	uint32_t name_offset; /* of the mapping's name */
	uint32_t stubs_offset, stubs_bytes;
	uint32_t unwind_offset, unwind_bytes;
	uint32_t text_offset, text_bytes;
	uint32_t object_offset, object_bytes; /* 0 unless primary */
	uint32_t data_offset, data_bytes;     /* 0 = no DATA segment */
	uint64_t area_bytes;
};

/* The primary area, which holds the object, the journal and the switch word, is that of module 0.
 */
#define VG_PRIMARY_MODULE 0

VG_MUST_CHECK struct vg_error *vg_layout_make(const struct vg_patch *patch, unsigned module,
					      struct vg_layout *layout);

#endif
