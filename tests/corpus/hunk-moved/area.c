/* SPDX-License-Identifier: MIT */
/* Lines that the diff's author did not have. */

int area(int side);
int perimeter(int side);

int perimeter(int side)
{
	return side * 4;
}

int area(int side)
{
	return side * side;
}
