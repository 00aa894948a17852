/* SPDX-License-Identifier: MIT */
int allowed(int value);

extern int limit;
int limit = 3;

int allowed(int value)
{
	return value <= limit;
}
