/* SPDX-License-Identifier: MIT */
/*
 * The modules (ELF files) that a target maps, read from its memory alone: a file that was replaced
 * or removed, or that lies in another mount namespace, makes no difference.
 *
 * A mapping counts as a module only if the file is mapped as its program headers say: an ELF file
 * that a debugger or a linker maps to read it is none.
 *
 * Thread context: target running.
 */
#ifndef PATCHER_MODULE_H
#define PATCHER_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>
#include <vgraft/patch.h>

#include "common/process_maps.h"
#include "patcher/memory.h"

struct vg_module {
	uint64_t start, end; /* of the image: from the lowest to the highest PT_LOAD */
	uint64_t bias;
	uint64_t dynamic; /* address of PT_DYNAMIC, 0 = none */
	uint64_t dynamic_bytes;
	uint8_t build_id[VGP_MAX_BUILD_ID];
	size_t build_id_bytes; /* 0 = none */
	const char *path;      /* owned by the maps */
};

struct vg_modules {
	struct vg_module *modules; /* ascending addresses */
	size_t count;
};

/* `maps` must outlive the modules. */
VG_MUST_CHECK struct vg_error *vg_modules_read(const struct vg_memory *memory,
					       const struct vg_maps *maps,
					       struct vg_modules *modules);
void vg_modules_clear(struct vg_modules *modules);

/* By build-id; *count (may be NULL) is how many there are: dlmopen() can map a file twice. */
const struct vg_module *vg_modules_find(const struct vg_modules *modules, const uint8_t *build_id,
					size_t build_id_bytes, size_t *count);
/* The module whose image holds the address, or NULL. */
const struct vg_module *vg_modules_at(const struct vg_modules *modules, uint64_t address);
/* By the last component of the path, for error sentences. */
const struct vg_module *vg_modules_named(const struct vg_modules *modules, const char *name);

#endif
