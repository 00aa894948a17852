/* SPDX-License-Identifier: MIT */
int area(int side);

__attribute__((noinline, noclone, noipa)) int area(int side)
{
	return side * side * side;
}
