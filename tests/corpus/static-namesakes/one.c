/* SPDX-License-Identifier: MIT */
int one(int value);

static int total;

static __attribute__((noinline)) void step(int value)
{
	total += value;
}

int one(int value)
{
	step(value);
	return total;
}
