/* SPDX-License-Identifier: MIT */
int count(int value);

static int total;

int count(int value)
{
	total += value;
	return total;
}
