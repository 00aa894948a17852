/* SPDX-License-Identifier: MIT */
/* Compile commands from a build that is run under a recorder: `vgraft build … -- make`. */
#ifndef DIFFER_CAPTURE_H
#define DIFFER_CAPTURE_H

#include <vgraft/error.h>

/*
 * Runs the NULL-terminated command in `directory` under bear(1); its output goes to stderr. *path
 * (malloc) is the compile_commands.json that was recorded; it lies in a private directory beside
 * TMPDIR, and the caller removes it with vg_compdb_capture_remove().
 */
VG_MUST_CHECK struct vg_error *vg_compdb_capture(char *const *argv, const char *directory,
						 char **path);
/* Removes what vg_compdb_capture() made and frees `path`; NULL is allowed. */
void vg_compdb_capture_remove(char *path);

#endif
