/* SPDX-License-Identifier: MIT */
int climb(int value);
int visits(int value);

int climb(int value)
{
	if (value <= 0)
		return 0;
	return visits(value) + climb(value - 1);
}
