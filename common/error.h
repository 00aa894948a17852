/* SPDX-License-Identifier: MIT */
/* What the parts need of errors beyond the public contract: cleanup and the out-of-memory error. */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#include <vgraft/error.h>

/* The static error for a failed allocation; vg_error_free() leaves it alone. */
struct vg_error *vg_error_no_memory(void);

static inline void vg_error_cleanup(struct vg_error **error)
{
	vg_error_free(*error);
}

#endif
