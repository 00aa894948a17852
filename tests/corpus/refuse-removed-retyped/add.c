/* SPDX-License-Identifier: MIT */
int add(int value);

static int total;

int add(int value)
{
	total += value;
	return (int)total;
}
