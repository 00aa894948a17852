/* SPDX-License-Identifier: MIT */
/*
 * A source package, made ready to be patched: from a manifest to the source tree as the target was
 * built from it, its compile commands, the generated headers, and the target itself.
 *
 * All lies in one folder below the work directory, for each source package and version; what is
 * there already is used again. Nothing is installed and no root rights are needed:
 *
 *   apt/      a private apt: its own lists and state, the machine's own sources with deb-src
 *   files/    source packages and binary packages, by checksum
 *   root/     build dependencies with all that they need, unpacked: the --sysroot of the compiler
 *   source/   the source tree, configured
 *   target/   the binary packages, unpacked
 *   done/     for each step that was finished, what it was made from
 */
#ifndef DIFFER_PACKAGE_H
#define DIFFER_PACKAGE_H

#include <stdbool.h>

#include <vgraft/error.h>

#include "differ/compile_words.h"
#include "differ/manifest.h"

struct vg_package {
	struct vg_manifest *manifest;
	struct vg_arena *arena;			      /* of the manifest */
	void (*say)(void *context, const char *line); /* what takes long; may be NULL */
	void *say_context;

	const char *folder; /* absolute, as are those below */
	const char *apt, *files, *root, *source, *target, *done, *temp;
	const char *build; /* where the package was configured */
	bool is_updated;   /* the lists of the private apt were brought in this run */
	int lock;

	/* What comes out. */
	const char *compdb;
	const char *binary; /* the target */
	const char *diff;   /* the fix */
};

/*
 * Does all steps that were not done before. `target`: the file that runs, or NULL for the one of
 * the package. VG_USAGE: something is offered nowhere. VG_REFUSED: a checksum or a build-id is
 * another. VG_FAILED: a step failed, with the end of what it said and where its log is.
 */
VG_MUST_CHECK struct vg_error *vg_package_prepare(struct vg_package *package, const char *work,
						  const char *target);
void vg_package_close(struct vg_package *package);

/* package_run.c */
void vg_package_say(struct vg_package *package, const char *format, ...) VG_PRINTF(2, 3);
/* Starts a command with what finds programs and libraries in root/. */
void vg_package_env(const struct vg_package *package, struct vg_words *command);
/*
 * Runs it in `directory`; takes the words over. *log (may be NULL) is where its output lies.
 * `what` completes "cannot …" where it fails.
 */
VG_MUST_CHECK struct vg_error *vg_package_run(struct vg_package *package, const char *directory,
					      struct vg_words *command, const char *what,
					      const char **log);
/* Was the step done from the same things? If not, what it left is stale. */
bool vg_package_is_done(struct vg_package *package, const char *step, const char *from);
VG_MUST_CHECK struct vg_error *vg_package_set_done(struct vg_package *package, const char *step,
						   const char *from);
VG_MUST_CHECK struct vg_error *vg_package_make_folder(const char *path);

/* package_apt.c: `words` are what follows apt-get; tried again with new lists if it fails. */
VG_MUST_CHECK struct vg_error *vg_package_apt_open(struct vg_package *package);
VG_MUST_CHECK struct vg_error *vg_package_apt(struct vg_package *package, const char *directory,
					      const struct vg_words *words, const char *what);

/* package_files.c */
VG_MUST_CHECK struct vg_error *vg_package_fetch_source(struct vg_package *package);
VG_MUST_CHECK struct vg_error *vg_package_fetch_binary(struct vg_package *package, const char *name,
						       const char **path);

/* package_root.c, package_source.c, package_configure.c, package_target.c: a step each. */
VG_MUST_CHECK struct vg_error *vg_package_unpack_root(struct vg_package *package);
VG_MUST_CHECK struct vg_error *vg_package_unpack_source(struct vg_package *package);
VG_MUST_CHECK struct vg_error *vg_package_configure(struct vg_package *package);
VG_MUST_CHECK struct vg_error *vg_package_find_target(struct vg_package *package,
						      const char *target);
/* The .dsc of the source package. */
VG_MUST_CHECK struct vg_error *vg_package_dsc(const struct vg_package *package, const char **path);
/* What the source tree is made from: a text that is another when that is another. */
const char *vg_package_source_key(const struct vg_package *package);

#endif
