/* SPDX-License-Identifier: MIT */
int run(int value);
int step(int value);

static __attribute__((noinline)) int repeat(int value, int times)
{
	int sum = 0;

	while (times-- > 0)
		sum += step(value);
	return sum;
}

int run(int value)
{
	return repeat(value, 3);
}
