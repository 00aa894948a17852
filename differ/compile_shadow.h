/* SPDX-License-Identifier: MIT */
/*
 * A shadow of the file system in which some files have other content: the private place where a
 * compiler runs as if it ran in the build tree. See compile_shadow.c for how it is made.
 */
#ifndef DIFFER_COMPILE_SHADOW_H
#define DIFFER_COMPILE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <vgraft/error.h>

#include "differ/compile_words.h"

struct vg_shadow {
	char *root;		 /* shadow of "/" */
	struct vg_words real;	 /* folders that are real in the shadow (original, canonical) */
	bool complete;		 /* other units' sources are in real folders too */
	struct vg_words mirrors; /* canonical folders in which paths of flags are mapped */
};

VG_MUST_CHECK struct vg_error *vg_shadow_open(const char *root, struct vg_shadow *shadow);
void vg_shadow_clear(struct vg_shadow *shadow); /* removes nothing from the disk */

/* Makes a folder (absolute, spelled as some command spells it) real, with all on the way to it. */
VG_MUST_CHECK struct vg_error *vg_shadow_folder(struct vg_shadow *shadow, const char *path);
/* Puts into real folders what was left out of them to save time: see compile_shadow.c. */
VG_MUST_CHECK struct vg_error *vg_shadow_complete(struct vg_shadow *shadow);
/* Makes a folder and every one below it real. */
VG_MUST_CHECK struct vg_error *vg_shadow_mirror(struct vg_shadow *shadow, const char *path);
/* Makes sure that a file (absolute) is there, if its folder is a real one. */
VG_MUST_CHECK struct vg_error *vg_shadow_link(struct vg_shadow *shadow, const char *path);

/* Gives a file (absolute) content of its own; its times become those of `st`, if not NULL. */
VG_MUST_CHECK struct vg_error *vg_shadow_write(struct vg_shadow *shadow, const char *path,
					       const char *bytes, size_t size,
					       const struct stat *st);
VG_MUST_CHECK struct vg_error *vg_shadow_remove(struct vg_shadow *shadow, const char *path);

/* Paths of flags below this folder (as spelled or canonical) are mapped into the shadow. */
VG_MUST_CHECK struct vg_error *vg_shadow_add_mirror(struct vg_shadow *shadow, const char *path);
bool vg_shadow_maps(const struct vg_shadow *shadow, const char *path);

#endif
