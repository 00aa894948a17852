/* SPDX-License-Identifier: MIT */
/*
 * Cleanup by attribute: a variable that is declared with one of these is released on every way out
 * of its scope. vg_take() hands the value on and leaves NULL behind.
 */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void vg_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void vg_cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void vg_cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void vg_cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _cleanup_free_	    _cleanup_(vg_cleanup_free)
#define _cleanup_close_	    _cleanup_(vg_cleanup_close)
#define _cleanup_fclose_    _cleanup_(vg_cleanup_fclose)
#define _cleanup_closedir_  _cleanup_(vg_cleanup_closedir)

#define vg_take(pointer)                                                                           \
	({                                                                                         \
		__typeof__(pointer) vg_taken_ = (pointer);                                         \
		(pointer) = NULL;                                                                  \
		vg_taken_;                                                                         \
	})

#endif
