/* SPDX-License-Identifier: MIT */
int sum(int value);

int sum(int value)
{
	int total = 0;

	for (int i = 0; i < value; i++)
		total += i * i % 7;
	return total;
}
