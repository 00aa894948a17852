/* SPDX-License-Identifier: MIT */
int first(int value);
int second(int value);

static const int table[] = {10, 20, 30, 40};

int first(int value)
{
	return table[value & 3];
}

int second(int value)
{
	return table[value & 3] + value;
}
