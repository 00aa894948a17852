/* SPDX-License-Identifier: MIT */
int increment(int value);

int increment(int value)
{
	return value + 1;
}
