/* SPDX-License-Identifier: MIT */
/* `vgraft inspect --share`: how much of a binary compiled objects tell apart. */
#ifndef CLI_SHARE_H
#define CLI_SHARE_H

#include <stdbool.h>
#include <stddef.h>

struct vg_share_options {
	const char *target, *symbols; /* symbols may be NULL */
	char *const *paths;	      /* objects and folders of objects */
	size_t path_count;
	bool json;
};

int vg_inspect_share(const struct vg_share_options *options); /* an exit code */

#endif
