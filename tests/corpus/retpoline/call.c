/* SPDX-License-Identifier: MIT */
int call(int value);

static int twice(int value)
{
	return value * 2;
}

static int (*volatile chosen)(int value) = twice;

int call(int value)
{
	return chosen(value) + 1;
}
