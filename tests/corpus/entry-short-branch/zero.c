/* SPDX-License-Identifier: MIT */
int zero(void);

int zero(void)
{
	return -1;
}
