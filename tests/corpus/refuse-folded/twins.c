/* SPDX-License-Identifier: MIT */
int low(int value);
int high(int value);

int low(int value)
{
	return value * value * 3;
}

int high(int value)
{
	return value * value * 3;
}
