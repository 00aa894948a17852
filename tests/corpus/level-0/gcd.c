/* SPDX-License-Identifier: MIT */
int gcd(int value);

static int step(int a, int b)
{
	return b ? step(b, a % b) : a;
}

int gcd(int value)
{
	int other = 18;

	return step(value, other);
}
