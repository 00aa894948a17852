/* SPDX-License-Identifier: MIT */
/* Cleanup by attribute: released on every way out of the scope; vmm_take() hands the value on. */
#ifndef VMM_CLEANUP_H
#define VMM_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void vmm_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void vmm_cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_	__attribute__((cleanup(vmm_cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(vmm_cleanup_close)))

#define vmm_take_fd(fd)                                                                            \
	({                                                                                         \
		int vmm_taken_ = (fd);                                                             \
		(fd) = -1;                                                                         \
		vmm_taken_;                                                                        \
	})

#endif
