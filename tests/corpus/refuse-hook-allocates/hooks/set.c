/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <vgraft/hooks.h>

extern int limit;

static void set(void)
{
	int wanted = 7;

	memcpy(&limit, &wanted, sizeof(limit));
}
VGRAFT_POST_APPLY(set)
