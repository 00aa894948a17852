/* SPDX-License-Identifier: MIT */
int ten(int value);

static int total;

static __attribute__((noinline)) void step(int value)
{
	total += value * 10;
}

int ten(int value)
{
	step(value);
	return total;
}
