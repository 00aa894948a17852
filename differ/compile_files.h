/* SPDX-License-Identifier: MIT */
/* Files and paths, as the source half of the differ needs them. */
#ifndef DIFFER_COMPILE_FILES_H
#define DIFFER_COMPILE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <vgraft/error.h>

/* Reads a whole regular file; *text has a NUL behind its *size bytes. Errors carry `code`. */
VG_MUST_CHECK struct vg_error *vg_read_file(const char *path, enum vg_code code, char **text,
					    size_t *size);
/* Writes a new file (an existing one is replaced, a symbolic link is not followed). */
VG_MUST_CHECK struct vg_error *vg_write_file(const char *path, const char *text, size_t size,
					     mode_t mode);

/* `path` if it is absolute, else directory/path; malloc, NULL: out of memory. */
char *vg_path_join(const char *directory, const char *path);
/* Takes out ".", ".." and double slashes by text alone (no symbolic link is read); malloc. */
char *vg_path_normal(const char *path);
bool vg_path_is_under(const char *path, const char *root); /* both absolute; equal counts */
char *vg_path_parent(const char *path);			   /* malloc; "." if there is no slash */

/* Removes a directory with all it holds; symbolic links are not followed. Best effort. */
void vg_remove_tree(const char *path);

#endif
