/* SPDX-License-Identifier: MIT */
int ticket(int value);

int ticket(int value)
{
	static int next = 100;

	next += value;
	return next;
}
