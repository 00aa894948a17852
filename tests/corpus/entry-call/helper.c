/* SPDX-License-Identifier: MIT */
int helper(void);

int helper(void)
{
	return 5;
}
