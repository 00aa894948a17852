/* SPDX-License-Identifier: MIT */
int add(int value);
int limit(int value, int most);

static int total;

int add(int value)
{
	total += value;
	return total;
}
