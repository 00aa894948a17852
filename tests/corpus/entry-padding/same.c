/* SPDX-License-Identifier: MIT */
int same(int value);
int next_door(int value);

int same(int value)
{
	return value;
}

int next_door(int value)
{
	return value * 7;
}
