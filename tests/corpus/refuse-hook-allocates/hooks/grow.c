/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include <vgraft/hooks.h>

extern int limit;

static void grow(void)
{
	int *wanted = malloc(sizeof(*wanted));

	if (wanted)
		limit = *wanted = 7;
	free(wanted);
}
VGRAFT_POST_APPLY(grow)
