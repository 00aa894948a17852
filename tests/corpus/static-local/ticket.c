/* SPDX-License-Identifier: MIT */
int ticket(void);

int ticket(void)
{
	static int next = 99;

	next += 1;
	return next;
}
