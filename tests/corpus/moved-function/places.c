/* SPDX-License-Identifier: MIT */
int first(int value);
int second(int value);

int first(int value)
{
	return value * 2;
}

int second(int value)
{
	return value * value * 3;
}
