/* SPDX-License-Identifier: MIT */
int area(int side);

__attribute__((noinline, optnone)) int area(int side)
{
	return side * side * side;
}
