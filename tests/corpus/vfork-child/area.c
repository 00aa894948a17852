/* SPDX-License-Identifier: MIT */
int area(int side);

int area(int side)
{
	return side * side;
}
