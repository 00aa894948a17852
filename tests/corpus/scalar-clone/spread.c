/* SPDX-License-Identifier: MIT */
int spread(int value);

int spread(int value)
{
	return value;
}
