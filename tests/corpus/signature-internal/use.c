/* SPDX-License-Identifier: MIT */
int use(int value);

static __attribute__((noinline)) int scale(int value)
{
	return value * value * 2;
}

int use(int value)
{
	return scale(value) + value * 3;
}
