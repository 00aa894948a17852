/* SPDX-License-Identifier: MIT */
int area(int value);
int compute(int value);

int area(int value)
{
	return value * value;
}
