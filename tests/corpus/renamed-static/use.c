/* SPDX-License-Identifier: MIT */
int use(int value);

static __attribute__((noinline)) int area(int value)
{
	return value * value;
}

int use(int value)
{
	return area(value) + value;
}
