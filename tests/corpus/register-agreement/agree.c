/* SPDX-License-Identifier: MIT */
int caller(int value);
int other(int value);
extern volatile int table[64];
volatile int table[64] = {[5] = 7};

static __attribute__((noinline)) int leaf(int value)
{
	return value + 1;
}

int caller(int value)
{
	int a = value * 3, b = value * 7, c = value * 11;

	return leaf(a) + a - 15 + b + c - 10 + leaf(b) - 36 + b - 35 + 50;
}
