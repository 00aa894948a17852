/* SPDX-License-Identifier: MIT */
int negate(int value);
int next_door(int value);

int negate(int value)
{
	return -value;
}

int next_door(int value)
{
	return value * 7;
}
