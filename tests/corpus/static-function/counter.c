/* SPDX-License-Identifier: MIT */
int step(int times);

static int total;

static __attribute__((noinline)) void count(int times)
{
	total += times;
}

int step(int times)
{
	count(times);
	return total;
}
