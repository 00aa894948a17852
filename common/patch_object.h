/* SPDX-License-Identifier: MIT */
/* Reading and writing of patch objects; the format is <vgraft/patch.h>. */
#ifndef COMMON_PATCH_OBJECT_H
#define COMMON_PATCH_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>
#include <vgraft/patch.h>

/*
 * A parsed and validated patch object. The arrays point into the bytes, which the patch owns.
 * Everything is in range: string offsets end in a NUL, indices exist, contents lie in their
 * section, segment offsets lie in their segment.
 */
struct vg_patch {
	uint8_t *bytes;
	size_t byte_count;
	const struct vgp_header *header;
	const struct vgp_info *info;
	const char *strings;
	size_t strings_bytes;
	const uint32_t *depends;
	size_t depend_count;
	const struct vgp_module *modules;
	size_t module_count;
	const struct vgp_segment *segments;
	size_t segment_count;
	const uint8_t *contents;
	size_t contents_bytes;
	const struct vgp_function *functions;
	size_t function_count;
	const struct vgp_part *parts;
	size_t part_count;
	const struct vgp_import *imports;
	size_t import_count;
	const struct vgp_reloc *relocs;
	size_t reloc_count;
	const struct vgp_variable *variables;
	size_t variable_count;
	const struct vgp_unwind *unwinds;
	size_t unwind_count;
	const struct vgp_hook *hooks;
	size_t hook_count;
	const struct vgp_shadow_table *shadows;
	size_t shadow_count; /* 0: the patch has no shadow variables; or 1 */
};

/*
 * Validates a copy of `bytes`. `origin` names them in errors ("FILE", "patch area at 0x… in PID").
 * A damaged object is VG_REFUSED. On success *patch is owned by the caller.
 */
VG_MUST_CHECK struct vg_error *vg_patch_parse(const void *bytes, size_t count, const char *origin,
					      struct vg_patch **patch);
/* Missing or unreadable is VG_USAGE. */
VG_MUST_CHECK struct vg_error *vg_patch_open(const char *path, struct vg_patch **patch);
void vg_patch_free(struct vg_patch *patch); /* NULL is allowed */
static inline void vg_patch_cleanup(struct vg_patch **patch)
{
	vg_patch_free(*patch);
}

/* Owned by the patch; `offset` must come from a validated record. */
const char *vg_patch_string(const struct vg_patch *patch, uint32_t offset);
const char *vg_patch_name(const struct vg_patch *patch);
/* Is `name` among the patches that it depends on? */
bool vg_patch_depends_on(const struct vg_patch *patch, const char *name);
/* Takes out all other patches in the same stop. */
static inline bool vg_patch_replaces(const struct vg_patch *patch)
{
	return patch->header->flags & VGP_REPLACE;
}
/* The segment of that kind of a module, or NULL. */
const struct vgp_segment *vg_patch_segment(const struct vg_patch *patch, unsigned module,
					   enum vgp_segment_kind kind);
/* Width of the field that a relocation of that type writes; 0 for a type that does not exist. */
unsigned vg_patch_reloc_bytes(uint8_t type);
/* [A-Za-z0-9._+-]{1,63} and not starting with '-' or '.' */
int vg_patch_name_is_valid(const char *name);

/*
 * The writer collects records; vg_patch_writer_finish() lays them out, seals them with the checksum
 * and parses the result, so that nothing leaves the tool that a reader would refuse. The same
 * records in the same order give the same bytes. Allocation failures are kept and reported by
 * finish.
 */
struct vg_patch_writer;
struct vg_patch_writer *vg_patch_writer_new(void); /* NULL: out of memory */
void vg_patch_writer_free(struct vg_patch_writer *writer);
uint32_t vg_patch_writer_string(struct vg_patch_writer *writer,
				const char *string); /* deduplicated */
/* Appends `count` records of a section; returns the index of the first. */
uint32_t vg_patch_writer_add(struct vg_patch_writer *writer, enum vgp_section_type type,
			     const void *records, size_t count);
/* Appends raw bytes to VGP_CONTENTS, 8-byte aligned; returns their offset. */
uint32_t vg_patch_writer_contents(struct vg_patch_writer *writer, const void *bytes, size_t count);
/* `flags`: enum vgp_header_flags. On success *bytes (malloc) is owned by the caller. */
VG_MUST_CHECK struct vg_error *vg_patch_writer_finish(struct vg_patch_writer *writer,
						      uint16_t flags, uint8_t **bytes,
						      size_t *count);
/* Writes `path` whole or not at all (temporary file beside it, fsync, rename). */
VG_MUST_CHECK struct vg_error *vg_write_file_atomically(const char *path, const void *bytes,
							size_t count);

#endif
