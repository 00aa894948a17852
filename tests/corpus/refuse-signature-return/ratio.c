/* SPDX-License-Identifier: MIT */
int ratio(int value);

int ratio(int value)
{
	return value / 2;
}
