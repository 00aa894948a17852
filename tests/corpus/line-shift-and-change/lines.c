/* SPDX-License-Identifier: MIT */
int above(int value);
int below(int value);

int above(int value)
{
	return value * 100;
}

int below(int value)
{
	return value + __LINE__;
}
