/* SPDX-License-Identifier: MIT */
/* The value that the source starts with now; whoever set another one keeps it. */
#include <vgraft/hooks.h>

extern int limit;

static void raise_limit(void)
{
	if (limit == 3)
		limit = 7;
}
VGRAFT_POST_APPLY(raise_limit)

static void lower_limit(void)
{
	if (limit == 7)
		limit = 3;
}
VGRAFT_POST_REVERT(lower_limit)
