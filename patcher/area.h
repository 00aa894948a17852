/* SPDX-License-Identifier: MIT */
/*
 * The patch areas that are found in a target, and the patches that they make up.
 *
 * Nothing in the tool's own files says what is applied where: the target is the record. Its memory
 * is untrusted: every number of a header is checked before it is used, and the object in a primary
 * area is parsed like one from a file.
 *
 * Thread context: target running; the caller holds the lock, or only reports.
 */
#ifndef PATCHER_AREA_H
#define PATCHER_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/area.h>
#include <vgraft/error.h>

#include "common/patch_object.h"
#include "common/process_maps.h"
#include "patcher/memory.h"

/* One area. */
struct vg_area {
	struct vga_header header; /* as it was read; state and switch count in the primary */
	/* header.function_count of them; NULL while the state says that they may be incomplete. */
	struct vga_function *functions;
};

/* One patch in the target: the primary area and those of its other modules. */
struct vg_installed {
	struct vg_area *areas; /* [0] is the primary */
	size_t area_count;
	enum vga_state state;
	bool on;		 /* the switch word */
	struct vg_patch *object; /* NULL: MAPPED, READY, and if damaged DISARMED, RETIRED */
};

/* An anonymous read-execute mapping with our mark of which no page was ever touched. */
struct vg_orphan {
	uint64_t start, bytes;
};

struct vg_areas {
	struct vg_installed *patches; /* by sequence: a later one lies above an older one */
	size_t count;
	struct vg_orphan *orphans; /* also secondary areas whose primary is gone */
	size_t orphan_count;
};

/* An area that is there but damaged is an error: nothing is safe to do then. */
VG_MUST_CHECK struct vg_error *vg_areas_read(const struct vg_memory *memory,
					     const struct vg_maps *maps, struct vg_areas *areas);
void vg_areas_clear(struct vg_areas *areas);

/*
 * Is this the header of an area at `address`? False: it is none (also: a copy of one that lies
 * elsewhere). An area whose numbers are out of range is an error. Does not look at the target.
 */
VG_MUST_CHECK struct vg_error *vg_area_check_header(const struct vga_header *header,
						    uint64_t address, bool *is_area);
/* The records of functions against the header and the object they belong to. */
VG_MUST_CHECK struct vg_error *vg_area_check_functions(const struct vg_area *area,
						       const struct vg_patch *object);

/* Address of field `member` of the header of an area. */
#define VG_HEADER_ADDRESS(area, member)                                                            \
	((area)->header.area_address + offsetof(struct vga_header, member))
uint64_t vg_area_function_address(const struct vg_area *area, size_t i);
/* Entries lead to it: its functions are part of chains. */
bool vg_installed_is_linked(const struct vg_installed *installed);
/* The journal says that hooks were being run: one may still be at it. */
bool vg_installed_may_run_hook(const struct vg_installed *installed);
/* Address of a segment of the object, of either kind; 0 if its area is missing. */
uint64_t vg_installed_segment(const struct vg_installed *installed, uint32_t segment);
/* Address of the TEXT segment of a module. */
uint64_t vg_installed_module_text(const struct vg_installed *installed, uint32_t module);
static inline const char *vg_installed_name(const struct vg_installed *installed)
{
	return installed->areas[0].header.name;
}

#endif
