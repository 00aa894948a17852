/* SPDX-License-Identifier: MIT */
int first(int value);
int second(int value);

static inline __attribute__((always_inline)) int bump(int value)
{
	static int total;

	total += value;
	return total;
}

int first(int value)
{
	return bump(value);
}

int second(int value)
{
	return bump(value + 9);
}
