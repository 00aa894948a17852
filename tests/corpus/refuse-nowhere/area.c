/* SPDX-License-Identifier: MIT */
int area(int side);
int missing_everywhere(int value);

int area(int side)
{
	return side * side;
}
