/* SPDX-License-Identifier: MIT */
/*
 * A manifest: how a fix of a distribution's package becomes a patch, said without a line of the fix
 * itself. The format is docs/vgraft-manifest.5. A manifest is written by people and may come from
 * anywhere: every name in it that becomes a path or an argument is checked when it is read.
 */
#ifndef DIFFER_MANIFEST_H
#define DIFFER_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

#include "differ/arena.h"

/* A file that an archive offers; the checksum decides whether it is the one that is meant. */
struct vg_manifest_file {
	const char *name;   /* of a source file, or of the binary package */
	const char *sha256; /* 64 hex digits */
};

/* A program or library of a binary package. */
struct vg_manifest_binary {
	const char *package;
	const char *path;     /* in the package, without a slash in front */
	const char *build_id; /* hex */
	const char *program;  /* what the build makes it as; tells which units belong to it */
};

/* Hunks of one patch of the source package; several add up. */
struct vg_manifest_hunks {
	const char *where;		 /* FILE:LINE of the manifest, for errors */
	const char *patch;		 /* name in debian/patches */
	const char *title;		 /* of the commit, or NULL */
	const char *file;		 /* in the source tree; with a title, NULL */
	VG_LIST(const char *) functions; /* none: all of the file */
	bool *found;			 /* each of the functions: by vg_manifest_diff() */
};

struct vg_manifest {
	struct vg_arena *arena;
	const char *path;   /* as named */
	const char *folder; /* that holds it */

	const char *name; /* of the patch */
	VG_LIST(const char *) cves;
	VG_LIST(const char *) depends;
	VG_LIST(const char *) hooks; /* paths */
	VG_LIST(const char *) allow;
	bool replace;
	const char *repairs, *shows;
	const char *live; /* what live objects hold that the old code made, or NULL */

	const char *source;	    /* source package, with version: what is offered */
	const char *source_version; /* of the files */
	VG_LIST(struct vg_manifest_file) files;
	VG_LIST(const char *) left_out; /* patches of the series that the target does not have */
	const char *version;		/* of the target */
	VG_LIST(struct vg_manifest_file) packages;
	VG_LIST(struct vg_manifest_binary) binaries;
	VG_LIST(const char *) configure; /* shell commands, run in the source tree */
	const char *build;		 /* where they configure, in the source tree */
	const char *target;		 /* path of one of the binaries */
	VG_LIST(struct vg_manifest_hunks) hunks;
	VG_LIST(const char *) diffs; /* paths of diffs of one's own, to the tree of the target */
};

/*
 * Everything lives in the arena. Missing, unreadable or malformed: VG_USAGE, with FILE:LINE. A
 * manifest that was read has everything that a build needs.
 */
VG_MUST_CHECK struct vg_error *vg_manifest_open(struct vg_arena *arena, const char *path,
						struct vg_manifest **manifest);
/* The same from text, without `include`; `origin` stands for the path. */
VG_MUST_CHECK struct vg_error *vg_manifest_parse(struct vg_arena *arena, const char *text,
						 size_t size, const char *origin,
						 struct vg_manifest **manifest);
/* The binary that `target` names. */
const struct vg_manifest_binary *vg_manifest_target(const struct vg_manifest *manifest);

/* manifest_words.c: what may stand for a name, a version, a path; NULL-terminated words. */
bool vg_manifest_is_name(const char *word);    /* of a package, file, program */
bool vg_manifest_is_version(const char *word); /* Debian Policy 5.6.12 */
bool vg_manifest_is_path(const char *word);    /* relative, never out of its root */
bool vg_manifest_is_hex(const char *word, size_t least, size_t most);

/*
 * manifest_diff.c: the hunks that the manifest asks for, as one unified diff (in the arena), from
 * the folder of the source package's patches; the manifest's own diffs follow. A patch that is
 * missing, or has no such hunk: VG_USAGE, with the manifest's line.
 */
VG_MUST_CHECK struct vg_error *vg_manifest_diff(struct vg_manifest *manifest, const char *patches,
						const char **diff, size_t *size);

#endif
