/* SPDX-License-Identifier: MIT */
/* Whole files, those of /proc included, whose size is not known before they are read. */
#ifndef COMMON_TEXT_FILE_H
#define COMMON_TEXT_FILE_H

#include <stddef.h>

#include <vgraft/error.h>

/*
 * Reads a whole file into *bytes (malloc, owned by the caller; a NUL stands behind the last byte).
 * `count` may be NULL. Missing or unreadable, or a directory: VG_USAGE.
 */
VG_MUST_CHECK struct vg_error *vg_text_file_read(const char *path, char **bytes, size_t *count);
/* As above, from an open file; `path` is for errors. Leaves the file open. */
VG_MUST_CHECK struct vg_error *vg_text_file_read_fd(int fd, const char *path, char **bytes,
						    size_t *count);

#endif
