/* SPDX-License-Identifier: MIT */
int pick(int value);

typedef int (*step)(int value);

static int one(int value)
{
	return value + 1;
}

static step volatile chosen = one;

int pick(int value)
{
	return chosen(value);
}
