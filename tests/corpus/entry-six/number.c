/* SPDX-License-Identifier: MIT */
int number(int value);
int next_door(int value);

int number(int value)
{
	(void)value;
	return 7;
}

int next_door(int value)
{
	return value * 7;
}
