/* SPDX-License-Identifier: MIT */
int blend(int value);

static int cells[64];

int blend(int value)
{
	int sum = 0;

	for (int i = 0; i < 64; i++)
		cells[i] = i * (value - 2);
	for (int i = 0; i < 64; i++)
		sum += cells[i];
	return sum;
}
