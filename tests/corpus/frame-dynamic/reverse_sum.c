/* SPDX-License-Identifier: MIT */
int reverse_sum(int value);

int reverse_sum(int value)
{
	volatile int cells[value + 1];
	int sum = 0;

	for (int i = 0; i <= value; i++)
		cells[i] = i;
	for (int i = 0; i <= value; i++)
		sum += cells[i] * i;
	return sum;
}
