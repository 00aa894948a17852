/* SPDX-License-Identifier: MIT */
int outer(int value);
int apply(int (*callback)(int value), int value);

int outer(int value)
{
	int total = 0;

	__attribute__((noinline)) int inner(int step)
	{
		total += step;
		return total;
	}

	for (int i = 1; i <= value; i++)
		inner(i);
	return total;
}
