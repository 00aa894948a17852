/* SPDX-License-Identifier: MIT */
int original(int value, int base);
int other(int value, int base);

int original(int value, int base)
{
	return base * base - value;
}

int other(int value, int base) __attribute__((alias("original")));
