/* SPDX-License-Identifier: MIT */
/* Every device that lives gets the field that the fix adds: what it may still serve. */
#include <vgraft/hooks.h>

struct device {
	int served;
};
extern struct device devices[2];

VGRAFT_SHADOW_VARIABLES;

static int give_quota(void)
{
	for (int i = 0; i < 2; i++) {
		int *left = vgraft_shadow_attach(&devices[i], 1, sizeof(*left));

		if (!left)
			return 1;
		*left = 100 - devices[i].served;
	}
	return 0;
}
VGRAFT_PRE_APPLY(give_quota)

static void take_quota(void)
{
	for (int i = 0; i < 2; i++)
		vgraft_shadow_free(&devices[i], 1);
}
VGRAFT_POST_REVERT(take_quota)
