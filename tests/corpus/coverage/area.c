/* SPDX-License-Identifier: MIT */
int area(int value);
int twice(int value);

int twice(int value)
{
	return value > 3 ? value + value : value * 2;
}

int area(int value)
{
	return value > 3 ? value * value : 0;
}
