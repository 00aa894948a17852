/* SPDX-License-Identifier: MIT */
int helper(int value);
int other(int value);

int helper(int value)
{
	return value + 1;
}

int other(int value)
{
	return value - 1;
}
