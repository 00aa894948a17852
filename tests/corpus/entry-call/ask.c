/* SPDX-License-Identifier: MIT */
int ask(void);
int helper(void);

int ask(void)
{
	return helper() - 4;
}
