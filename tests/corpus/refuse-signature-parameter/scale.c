/* SPDX-License-Identifier: MIT */
int scale(int value);

int scale(int value)
{
	return value * value * 2;
}
